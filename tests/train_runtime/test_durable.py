"""Files and directories that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from train_runtime import _durable

if TYPE_CHECKING:
    from pathlib import Path


def make(directory: Path, **files: str) -> Path:
    directory.mkdir()
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def contents(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = make(tmp_path / "source", one="1", empty="")
    make(source / "deep", two="2")
    (source / "one").chmod(0o640)
    source.chmod(0o700)
    return source


def test_a_copy_follows_links_and_is_readable_as_any_directory(tmp_path: Path, source: Path) -> None:
    (tmp_path / "elsewhere").write_text("linked")
    (source / "link").symlink_to(tmp_path / "elsewhere")
    _durable.copy_tree(source, tmp_path / "target")
    assert contents(tmp_path / "target") == {"one": "1", "empty": "", "deep/two": "2", "link": "linked"}
    assert not (tmp_path / "target" / "link").is_symlink()
    assert (tmp_path / "target").stat().st_mode == tmp_path.joinpath(make(tmp_path / "new")).stat().st_mode
    assert (tmp_path / "target" / "one").stat().st_mode & 0o777 == 0o640


def test_a_file_system_without_copies_in_the_kernel_is_copied_from(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_durable.os, "copy_file_range", lambda *_: 0)
    _durable.copy_tree(source, tmp_path / "target")
    assert contents(tmp_path / "target") == contents(source)


@pytest.mark.parametrize("bad", ["dangling link", "pipe", "loop"])
def test_what_cannot_be_copied_is_named(tmp_path: Path, source: Path, bad: str) -> None:
    if bad == "pipe":
        os.mkfifo(source / "bad")
    else:
        (source / "bad").symlink_to(source / "nothing" if bad == "dangling link" else source)
    with pytest.raises(OSError, match="bad"):
        _durable.copy_tree(source, tmp_path / "target")


def test_a_move_renames_and_copies_only_where_it_must(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inode = (source / "one").stat().st_ino
    _durable.move_tree(source, tmp_path / "target")
    assert not source.exists()
    assert (tmp_path / "target" / "one").stat().st_ino == inode
    assert (tmp_path / "target").stat().st_mode & 0o777 == tmp_path.stat().st_mode & 0o777

    (tmp_path / "target" / "link").symlink_to("one")
    _durable.move_tree(tmp_path / "target", tmp_path / "again")
    assert not (tmp_path / "target").exists()
    assert contents(tmp_path / "again") == {"one": "1", "empty": "", "deep/two": "2", "link": "1"}
    assert not (tmp_path / "again" / "link").is_symlink()

    if os.stat("/dev/shm").st_dev != tmp_path.stat().st_dev:
        other = make(_elsewhere(), three="3")
        _durable.move_tree(other, tmp_path / "third")
        assert contents(tmp_path / "third") == {"three": "3"}
        assert not other.exists()


def _elsewhere() -> Path:
    import tempfile
    from pathlib import Path

    directory = Path(tempfile.mkdtemp(dir="/dev/shm"))
    shutil.rmtree(directory)
    return directory


def test_merging_keeps_the_last_of_equal_names(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a", one="1", both="a"), make(tmp_path / "b", two="2", both="b")
    make(first / "deep", x="a", y="a")
    make(second / "deep", y="b", z="b")
    _durable.merge_tree(second, first)
    assert contents(first) == {"one": "1", "two": "2", "both": "b", "deep/x": "a", "deep/y": "b", "deep/z": "b"}


@pytest.mark.parametrize("sync", [False, True])
def test_an_interrupted_write_keeps_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: bool) -> None:
    file = tmp_path / "snapshot.json"
    _durable.write_text(file, "old", sync=sync)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_durable.Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        _durable.write_text(file, "new", sync=sync)
    assert contents(tmp_path) == {"snapshot.json": "old"}
