"""Runs that are stored behind a URL, on an S3 server of this process's own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import train_runtime
from train_runtime import Checkpoint, CheckpointConfig, FailureConfig, Result, WorkerGroupError
from train_runtime._folder import open_folder
from train_runtime._storage import RunStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Fit

moto_server = pytest.importorskip("moto.server")
s3fs = pytest.importorskip("s3fs")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket `bucket`, and the filesystem to look into it."""
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    filesystem = s3fs.S3FileSystem(use_listings_cache=False)
    filesystem.mkdir("bucket")
    yield filesystem
    filesystem.rm("bucket", recursive=True)
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


def checkpoint_of(**files: str) -> Checkpoint:
    directory = Path(tempfile.mkdtemp())
    for name, text in files.items():
        (directory / name).write_text(text)
    return Checkpoint.from_directory(directory)


def names(filesystem: Any, folder: str = "bucket/exp/run") -> set[str]:
    filesystem.invalidate_cache()
    return {os.path.basename(path) for path in filesystem.ls(folder)}


def test_a_run_is_stored_restarted_and_continued_behind_a_url(fit: Fit, bucket: Any, tmp_path: Path) -> None:
    def train(config: dict[str, Any]) -> list[str | None]:
        rank = train_runtime.get_context().get_world_rank()
        start = train_runtime.get_checkpoint()
        seen = []
        first = 0
        if start:
            with start.as_directory() as directory:
                seen = sorted(os.listdir(directory))
                first = int(Path(directory, "step").read_text()) + 1
        for step in range(first, config["steps"]):
            with tempfile.TemporaryDirectory() as directory:
                Path(directory, "step").write_text(str(step))
                Path(directory, f"rank_{rank}").write_text("x" * 100)
                train_runtime.report({"score": -abs(step - 1)}, Checkpoint(directory), f"at_{step}")
            if step == 2 and rank == 1 and not os.path.exists(config["failed"]):
                Path(config["failed"]).touch()
                raise RuntimeError("once")
        return [start.path if start else None, *seen]

    run: dict[str, Any] = {
        "storage_path": "s3://bucket/exp",
        "checkpoint_config": CheckpointConfig(num_to_keep=1, checkpoint_score_attribute="score"),
        "failure_config": FailureConfig(max_failures=1),
    }
    config = {"steps": 4, "failed": str(tmp_path / "failed")}
    result = fit(train, config=config, **run)
    assert result.return_value == ["bucket/exp/run/at_2", "rank_0", "rank_1", "step"]
    assert result.path == "bucket/exp/run"
    assert result.checkpoint.path == "bucket/exp/run/at_3"
    assert [metrics for _, metrics in result.best_checkpoints] == [{"score": 0}]
    kept = {".validate_storage_marker", "checkpoint_manager_snapshot.json", "result.json", "progress.csv"}
    events = {name for name in names(bucket) if name.startswith("events")}
    assert names(bucket) == {*kept, *events, "at_1", "at_3"}

    result = fit(train, config={**config, "steps": 5}, **run)
    assert result.return_value[0] == "bucket/exp/run/at_3"
    assert list(result.metrics_dataframe["score"]) == [-1, 0, -1, -2, -3]
    assert {name for name in names(bucket) if name.startswith("at_")} == {"at_1", "at_4"}

    again = Result.from_path("s3://bucket/exp/run")
    assert again.checkpoint.path == "bucket/exp/run/at_4"
    assert again.metrics == {"score": -3}
    assert again.get_best_checkpoint("score", "max").path == "bucket/exp/run/at_1"
    with Checkpoint("s3://bucket/exp/run/at_4").as_directory() as directory:
        assert Path(directory, "step").read_text() == "4"
    assert not os.path.exists(directory)


@pytest.mark.parametrize("kind", ["fsspec", "pyarrow"])
def test_a_filesystem_object_is_used(fit: Fit, bucket: Any, kind: str) -> None:
    filesystem = s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    if kind == "pyarrow":
        fs = pytest.importorskip("pyarrow.fs")
        filesystem = fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"])

    def train() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "deep").mkdir()
            Path(directory, "deep", "file").write_text("weights")
            train_runtime.report({"a": 1}, Checkpoint(directory))
        with train_runtime.get_checkpoint().as_directory() as stored:
            return {"text": Path(stored, "deep", "file").read_text()}

    result = fit(train, workers=1, storage_path="bucket/exp", storage_filesystem=filesystem)
    assert result.return_value == {"text": "weights"}
    assert result.filesystem is filesystem
    copy = Path(result.checkpoint.to_directory())
    assert [str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()] == ["deep/file"]
    assert Result.from_path(result.path, storage_filesystem=filesystem).metrics == {"a": 1}


def test_a_checkpoint_is_absent_until_all_its_files_are_there(bucket: Any) -> None:
    """As a killed driver leaves it: some files are up, nothing names them."""
    folder = open_folder("s3://bucket/exp/run")
    storage = RunStorage.open(folder, CheckpointConfig())
    for name in ("whole", "half"):
        storage.begin(name)
        folder.persist(checkpoint_of(file=name), name, 0, give_away=False)
        if name == "whole":
            storage.commit(name, {"a": 1}, None)
    storage._write_behind.drain()
    assert {"whole", "half", ".half.incomplete"} <= names(bucket)
    assert Result.from_path("s3://bucket/exp/run").checkpoint.path == "bucket/exp/run/whole"

    again = RunStorage.open(open_folder("s3://bucket/exp/run"), CheckpointConfig())
    assert again.latest is not None
    assert again.latest.path == "bucket/exp/run/whole"
    assert not {"half", ".half.incomplete"} & names(bucket)


def test_a_name_that_is_used_again_is_absent_in_between(bucket: Any) -> None:
    storage = RunStorage.open(open_folder("s3://bucket/exp/run"), CheckpointConfig())
    for text in ("old", "new"):
        storage.begin("last")
        assert Result.from_path("s3://bucket/exp/run").checkpoint is None if text == "new" else True
        storage.folder.persist(checkpoint_of(**{text: text}), "last", 0, give_away=False)
        storage.commit("last", {"text": text}, None)
    storage.close()
    assert names(bucket, "bucket/exp/run/last") == {"new"}


def test_an_empty_checkpoint_and_a_remote_one_are_stored(fit: Fit, bucket: Any) -> None:
    bucket.pipe_file("bucket/elsewhere/file", b"there")

    def train() -> list[str]:
        with tempfile.TemporaryDirectory() as directory:
            train_runtime.report({}, Checkpoint(directory), "empty")
        train_runtime.report({}, Checkpoint("s3://bucket/elsewhere"), "copied")
        return [r.checkpoint.path for r in train_runtime.get_all_reported_checkpoints()]

    result = fit(train, workers=1, storage_path="s3://bucket/exp")
    assert result.return_value == ["bucket/exp/run/empty", "bucket/exp/run/copied"]
    assert bucket.cat_file("bucket/exp/run/copied/file") == b"there"
    assert bucket.exists("bucket/elsewhere/file")


def test_a_bucket_that_is_not_there_is_an_error(fit: Fit, bucket: Any) -> None:
    with pytest.raises(train_runtime.TrainingFailedError, match="cannot be stored in nobody/run") as raised:
        fit(print, storage_path="s3://nobody")
    assert not isinstance(raised.value, WorkerGroupError)
