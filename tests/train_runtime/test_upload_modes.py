"""The ways in which `report` takes a checkpoint's files, and disks that do not take them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import train_runtime
from train_runtime import Checkpoint, CheckpointConfig, Result, TrainingFailedError, WorkerGroupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Fit


def files(path: str | Path) -> dict[str, str]:
    return {str(file.relative_to(path)): file.read_text() for file in Path(path).rglob("*") if file.is_file()}


def test_files_are_moved_stored_behind_and_left_where_they_are(fit: Fit) -> None:
    def train() -> dict[str, Any]:
        from train_runtime import CheckpointUploadMode, get_all_reported_checkpoints, get_context, report

        rank = get_context().get_world_rank()
        run = get_context().get_storage().experiment_fs_path
        seen: dict[str, Any] = {}

        def directory(text: str) -> str:
            path = tempfile.mkdtemp(dir=os.path.dirname(run))
            Path(path, f"rank_{rank}").write_text(text)
            return path

        moved = directory("moved")
        inode = os.stat(f"{moved}/rank_{rank}").st_ino
        report({"step": 0}, Checkpoint(moved), "moved", delete_local_checkpoint_after_upload=True)
        seen["moved"] = (os.path.exists(moved), os.stat(f"{run}/moved/rank_{rank}").st_ino == inode)

        behind = directory("behind")
        report({"step": 1}, Checkpoint(behind), "behind", CheckpointUploadMode.ASYNC)
        report({"step": 2})
        seen["behind"] = (os.path.exists(behind), train_runtime.get_checkpoint().path)

        report({"step": 3}, train_runtime.get_checkpoint(), "again", delete_local_checkpoint_after_upload=True)
        seen["again"] = os.path.exists(f"{run}/behind/rank_{rank}")

        def upload(checkpoint: Checkpoint, name: str) -> Checkpoint:
            os.makedirs(f"{run}/mine/{name}", exist_ok=True)
            os.rename(f"{checkpoint.path}/rank_{rank}", f"{run}/mine/{name}/rank_{rank}")
            return Checkpoint(f"{run}/mine/{name}")

        report({"step": 4}, Checkpoint(directory("uploaded")), "own", checkpoint_upload_fn=upload)
        os.makedirs(f"{run}/there", exist_ok=True)
        Path(run, "there", f"rank_{rank}").write_text("there")
        there = Checkpoint(f"{run}/there")
        report({"step": 5}, there, checkpoint_upload_mode=CheckpointUploadMode.NO_UPLOAD)
        seen["listed"] = [
            (os.path.relpath(r.checkpoint.path, run), r.status.name) for r in get_all_reported_checkpoints()
        ]
        report({"step": 6}, Checkpoint(directory("last")), "last", CheckpointUploadMode.ASYNC)
        return seen

    result = fit(train)
    run = Path(result.path)
    assert result.return_value == {
        "moved": (False, True),
        "behind": (False, str(run / "behind")),
        "again": True,
        "listed": [(name, "COMMITTED") for name in ("moved", "behind", "again", "mine/own", "there")],
    }
    for name, text in {
        "moved": "moved",
        "behind": "behind",
        "again": "behind",
        "mine/own": "uploaded",
        "last": "last",
    }.items():
        assert files(run / name) == {"rank_0": text, "rank_1": text}
    assert result.checkpoint.path == str(run / "last")
    assert not list(run.glob(".*"))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ("report({}, Checkpoint(tmp), checkpoint_upload_mode=Mode.NO_UPLOAD)", ValueError, "NO_UPLOAD needs"),
        ("report({}, Checkpoint(tmp), checkpoint_upload_mode='SYNC')", ValueError, "Invalid checkpoint upload mode"),
        ("report({}, Checkpoint(tmp), checkpoint_upload_fn=lambda c, n: n)", ValueError, "must return a Checkpoint"),
        ("report({}, Checkpoint(tmp), checkpoint_upload_fn=lambda c, n: c)", ValueError, "in the run's folder"),
        ("report({}, Checkpoint('/'), delete_local_checkpoint_after_upload=True)", ValueError, "is inside of"),
        ("report({}, Checkpoint(tmp), validation=True)", NotImplementedError, "run the script on Ray"),
        ("report({}, validation=True)", ValueError, "Validation requires a checkpoint"),
        ("report({}, Checkpoint(tmp + '/gone'), checkpoint_upload_mode=Mode.ASYNC)", FileNotFoundError, "gone"),
        ("[report({}, Checkpoint(tmp), None, Mode.ASYNC, None, bad), time.sleep(60)]", OSError, "No space left"),
    ],
)
def test_what_cannot_be_stored_is_the_workers_error(fit: Fit, call: str, error: type[Exception], message: str) -> None:
    def train() -> None:
        import time

        def bad(checkpoint: object, name: str) -> None:
            raise OSError(28, "No space left on device")

        names = {"Checkpoint": Checkpoint, "Mode": train_runtime.CheckpointUploadMode, "report": train_runtime.report}
        eval(call, {**names, "tmp": tempfile.mkdtemp(), "bad": bad, "time": time})

    with pytest.raises(WorkerGroupError, match=message) as raised:
        fit(train, workers=1)
    assert type(raised.value.__cause__) is error


def test_a_train_function_may_survive_a_checkpoint_that_cannot_be_stored(fit: Fit) -> None:
    def train() -> None:
        def bad(checkpoint: object, name: str) -> None:
            raise OSError(28, "No space left on device")

        rank = train_runtime.get_context().get_world_rank()
        for step in range(2):
            with tempfile.TemporaryDirectory() as directory:
                try:
                    upload = bad if step == rank == 0 else None
                    train_runtime.report(
                        {"step": step}, Checkpoint(directory), f"at_{step}", checkpoint_upload_fn=upload
                    )
                except OSError:
                    assert step == rank == 0

    result = fit(train)
    assert list(result.metrics_dataframe["step"]) == [0, 1]
    assert [path.name for path in Path(result.path).iterdir() if path.is_dir() and path.name != "logs"] == ["at_1"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting needs root's rights: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_keeps_what_was_there(fit: Fit, small_disk: Path) -> None:
    def train() -> None:
        for step in range(5):
            with tempfile.TemporaryDirectory() as directory:
                Path(directory, "weights").write_bytes(bytes(1_500_000))
                train_runtime.report({"step": step}, Checkpoint(directory), f"at_{step}")

    with pytest.raises(WorkerGroupError, match=r"No space left.*disk/run\..*Make room.*/run/\.at_2") as raised:
        fit(train, workers=1, storage_path=small_disk)
    assert isinstance(raised.value.__cause__, OSError)
    kept = Result.from_path(small_disk / "run")
    assert kept.checkpoint.path == str(small_disk / "run" / "at_1")
    assert {path.name for path in (small_disk / "run").iterdir() if path.is_dir()} - {"logs"} == {"at_0", "at_1"}
    result = fit(lambda: train_runtime.get_checkpoint().path, workers=1, storage_path=small_disk)
    assert result.return_value == kept.checkpoint.path

    (small_disk / "run" / "fill").write_bytes(bytes(900_000))

    def fill_with_reports() -> None:
        for step in range(200):
            train_runtime.report({"step": step, "text": "x" * 10_000})

    with pytest.raises(TrainingFailedError, match=r"cannot be stored in .*disk/run.*No space left.*storage_path"):
        fit(fill_with_reports, workers=1, storage_path=small_disk)
    assert Result.from_path(small_disk / "run").checkpoint.path == kept.checkpoint.path


def test_a_directory_that_cannot_be_written_to_is_an_error_before_the_start(fit: Fit, small_disk: Path) -> None:
    def train() -> None:
        with tempfile.TemporaryDirectory() as directory:
            train_runtime.report({}, Checkpoint(directory), "at_0")

    fit(train, workers=1, storage_path=small_disk, checkpoint_config=CheckpointConfig(num_to_keep=1))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(TrainingFailedError, match=r"cannot be stored in .*disk/run.*be written to"):
        fit(train, workers=1, storage_path=small_disk)
    assert Result.from_path(small_disk / "run").checkpoint.path == str(small_disk / "run" / "at_0")


def test_a_file_in_the_way_is_an_error_before_the_start(fit: Fit, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingFailedError, match=r"cannot be stored in .*file/run"):
        fit(print, workers=1, storage_path=tmp_path / "file")
