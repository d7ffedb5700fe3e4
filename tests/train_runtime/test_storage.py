"""A run's folder: what is in it at any instant, and what a later run takes up."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from train_runtime import Checkpoint, CheckpointConfig, Result
from train_runtime._folder import RunFolder, open_folder
from train_runtime._storage import RunStorage, StorageError
from train_runtime._write_behind import DURABLE_NAME

SNAPSHOT = "checkpoint_manager_snapshot.json"


def run_in(path: Path, **config: Any) -> RunStorage:
    return RunStorage.open(open_folder(path), CheckpointConfig(**config))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def storage(run: Path) -> RunStorage:
    return run_in(run)


def store(storage: RunStorage, name: str, metrics: dict[str, Any] | None = None, text: str | None = None) -> Checkpoint:
    """Register a checkpoint with two ranks' files."""
    storage.begin(name)
    persist(storage.folder, name, text or name)
    return storage.commit(name, metrics or {}, None)


def persist(folder: RunFolder, name: str, text: str) -> None:
    for rank in (0, 1):
        source = Path(folder.path).parent / f"reported_{rank}"
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir()
        (source / f"rank_{rank}").write_text(text)
        folder.persist(Checkpoint(source), name, rank, give_away=False)


def on_disk(run: Path) -> set[str]:
    return {path.name for path in run.iterdir()} - {"result.json", "progress.csv", SNAPSHOT}


def test_a_driver_killed_while_writing_a_line_loses_that_line(run: Path, storage: RunStorage) -> None:
    store(storage, "a", {"x": 1})
    with (run / "result.json").open("a") as file:
        file.write('{"x": ')
    assert Result.from_path(run).metrics == {"x": 1}
    again = run_in(run)
    again.record({"x": 2})
    again.close()
    assert [json.loads(line) for line in (run / "result.json").open()] == [{"x": 1}, {"x": 2}]
    assert list(csv.reader((run / "progress.csv").open())) == [["x"], ["1"], ["2"]]


def test_checkpoints_deleted_by_hand_are_forgotten(run: Path, storage: RunStorage) -> None:
    for name in "ab":
        store(storage, name)
    storage.close()
    shutil.rmtree(run / "b")
    again = run_in(run)
    assert [checkpoint.path for checkpoint, _ in again.best] == [str(run / "a")]
    assert again.latest is not None
    assert again.latest.path == str(run / "a")


def test_a_run_without_a_checkpoint_starts_anew(run: Path, storage: RunStorage) -> None:
    storage.record({"x": 1})
    storage.close()
    assert (run / "result.json").exists()
    assert run_in(run).reports == []
    assert not on_disk(run)
    assert not (run / "result.json").exists()
    with pytest.raises(RuntimeError, match="no run with a checkpoint"):
        Result.from_path(run)


def test_metrics_of_any_kind_are_stored(run: Path, storage: RunStorage, tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    store(storage, "a", {"a": numpy.float32(0.5), "b": numpy.arange(2), "c": tmp_path, "d": {(1, 2): 10**400}})
    storage.close()
    [first] = Result.from_path(run).metrics_dataframe.to_dict("records")
    assert first["a"] == 0.5
    assert first["b"] == [0, 1]
    assert first["c"] == str(tmp_path)
    assert first["d"] == {"(1, 2)": 10**400}


def test_the_worst_are_deleted_once_the_new_one_is_on_the_disk(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a checkpoint is on its way to the disk, a power failure leaves the one before."""
    storage = run_in(run, num_to_keep=1)
    store(storage, "a", {"x": 1})
    storage._write_behind.drain()
    is_synced = False
    sync = type(storage.folder).sync

    def slow_sync(folder: RunFolder, name: str) -> None:
        nonlocal is_synced
        if folder.path == str(run):
            assert on_disk(run) >= {"a", "b"}
            assert _as_after_a_power_failure(run).path == str(run / "a")
            is_synced = True
        sync(folder, name)  # type: ignore[arg-type]

    monkeypatch.setattr(type(storage.folder), "sync", slow_sync)
    store(storage, "b", {"x": 2})
    storage._write_behind.drain()
    assert is_synced
    assert _as_after_a_power_failure(run).path == str(run / "b")
    assert on_disk(run) == {"b", DURABLE_NAME, *(path.name for path in run.glob("events*"))}
    storage.close()
    assert not (run / DURABLE_NAME).exists()


def _as_after_a_power_failure(run: Path) -> Checkpoint:
    """The checkpoint that a run continues from whose system was started again since."""
    copy = run.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    snapshot = json.loads((copy / SNAPSHOT).read_text())
    (copy / SNAPSHOT).write_text(json.dumps({**snapshot, "unsynced_since_boot": "another"}))
    storage = run_in(copy)
    assert storage.latest is not None
    unregistered = {path.name for path in copy.iterdir() if path.is_dir()} - {Path(storage.latest.path).name}
    assert not unregistered, "what may be torn is not left"
    return Checkpoint(str(run / Path(storage.latest.path).name))


@pytest.mark.parametrize("torn", ["", "\0\0\0\0", '{"checkpoint_results": ['])
def test_a_torn_snapshot_is_not_the_only_one(run: Path, storage: RunStorage, torn: str) -> None:
    store(storage, "a", {"x": 1})
    storage._write_behind.drain()
    (run / SNAPSHOT).write_text(torn)
    latest = run_in(run).latest
    assert latest is not None
    assert latest.path == str(run / "a")


def test_another_programs_snapshot_is_refused(run: Path) -> None:
    run.mkdir()
    (run / SNAPSHOT).write_text("something else")
    with pytest.raises(RuntimeError, match="no list of checkpoints"):
        run_in(run)
    assert (run / SNAPSHOT).read_text() == "something else"


def killed_at(point: int, run: Path) -> tuple[bool, int]:
    """Store three checkpoints in a process that ends without a word at the `point`th change of the file system.

    Gives whether it survived, and the step that was acknowledged last.
    """
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        with contextlib.suppress(BaseException):
            calls = itertools.count(1)

            def deadly(function: Any) -> Any:
                def call(*arguments: Any, **keywords: Any) -> Any:
                    if str(run) in str(arguments[:2]) and next(calls) == point:
                        os._exit(9)
                    return function(*arguments, **keywords)

                return call

            storage = run_in(run, **BEST_TWO)
            for name in ("mkdir", "rename", "replace", "rmdir", "unlink", "open"):
                setattr(os, name, deadly(getattr(os, name)))
                setattr(Path, name, deadly(getattr(Path, name)))
            shutil.rmtree = deadly(shutil.rmtree)
            for step in (3, 4, 5):
                store(storage, "at_4" if step == 4 else "again", {"x": step}, f"text of {step}")
                os.write(write, str(step).encode())
            storage.close()
            os._exit(0)
        os._exit(1)
    os.close(write)
    with os.fdopen(read) as pipe:
        acknowledged = int(("2" + pipe.read())[-1])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 0, acknowledged


BEST_TWO: dict[str, Any] = {"num_to_keep": 2, "checkpoint_score_attribute": "x"}


def test_a_driver_killed_at_any_point_loses_no_checkpoint(tmp_path: Path) -> None:
    for point in itertools.count(1):
        run = tmp_path / str(point) / "run"
        before = run_in(run, **BEST_TWO)
        for step, name in ((1, "at_1"), (2, "again")):
            store(before, name, {"x": step}, f"text of {step}")
        before.close()
        has_survived, acknowledged = killed_at(point, run)

        # A reader that comes before the next run may find a replaced checkpoint absent, never torn.
        assert all(map(texts_of, (checkpoint for checkpoint, _ in Result.from_path(run).best_checkpoints)))
        storage = run_in(run, **BEST_TWO)
        assert storage.latest is not None
        assert texts_of(storage.latest) <= {f"text of {acknowledged}", f"text of {acknowledged + 1}"}
        there = {Path(checkpoint.path).name for checkpoint, _ in storage.retained if texts_of(checkpoint)}
        assert {path.name for path in run.iterdir() if path.is_dir()} == there, "rubbish is left"
        assert not list(run.glob(".*")), "rubbish is left"
        if has_survived:
            assert point > 50, "the points were not found"
            return


def texts_of(checkpoint: Checkpoint) -> set[str]:
    """The one text that all files of a whole checkpoint have."""
    files = list(Path(checkpoint.path).iterdir())
    texts = {path.read_text() for path in files}
    assert (len(files), len(texts)) == (2, 1)
    return texts


def test_a_name_that_something_else_has_is_refused(run: Path, storage: RunStorage) -> None:
    (run / "logs").mkdir()
    with pytest.raises(StorageError, match="something else"):
        storage.begin("logs")
    storage.abandon()
    assert (run / "logs").exists()
