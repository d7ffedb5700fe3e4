"""`Checkpoint` as a reference to a directory."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import pytest

from train_runtime import Checkpoint

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    directory = tmp_path / "checkpoint"
    directory.mkdir()
    (directory / "model").write_text("weights")
    return Checkpoint.from_directory(directory)


def test_a_local_checkpoint_is_yielded_without_a_copy(checkpoint: Checkpoint) -> None:
    with checkpoint.as_directory() as directory:
        assert directory == checkpoint.path
    assert os.path.exists(checkpoint.path)


def test_to_directory_copies(checkpoint: Checkpoint, tmp_path: Path) -> None:
    assert checkpoint.to_directory(tmp_path / "copy") == str(tmp_path / "copy")
    assert (tmp_path / "copy" / "model").read_text() == "weights"
    assert checkpoint.to_directory() != checkpoint.to_directory()


def test_metadata_is_stored_beside_the_files(checkpoint: Checkpoint) -> None:
    assert checkpoint.get_metadata() == {}
    checkpoint.set_metadata({"a": 1})
    checkpoint.update_metadata({"b": 2})
    assert Checkpoint(checkpoint.path).get_metadata() == {"a": 1, "b": 2}


def test_a_remote_checkpoint_is_copied_for_as_long_as_it_is_used() -> None:
    import fsspec

    fsspec.filesystem("memory").pipe_file("/run/checkpoint/model", b"weights")
    checkpoint = Checkpoint("memory://run/checkpoint")
    with checkpoint.as_directory() as directory:
        assert os.listdir(directory) == ["model"]
    assert not os.path.exists(directory)
    checkpoint.set_metadata({"a": 1})
    assert checkpoint.get_metadata() == {"a": 1}


def test_it_is_not_a_path_and_equals_only_itself(checkpoint: Checkpoint) -> None:
    with pytest.raises(TypeError, match=r"checkpoint\.path"):
        os.fspath(checkpoint)  # type: ignore[call-overload]
    assert checkpoint != Checkpoint(checkpoint.path)
    assert pickle.loads(pickle.dumps(checkpoint)).path == checkpoint.path


@pytest.mark.parametrize("name", ["from_dict", "to_dict", "from_uri", "get_preprocessor"])
def test_removed_methods_say_what_to_write(name: str, checkpoint: Checkpoint) -> None:
    with pytest.raises(AttributeError, match=r"removed in Ray 2\.7"):
        getattr(Checkpoint, name)
    assert not hasattr(checkpoint, name)
