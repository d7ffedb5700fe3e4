"""Reports and checkpoints: what they leave on disk and in the result."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import train_runtime
from train_runtime import Checkpoint, CheckpointConfig, Result, WorkerGroupError, _controller
from train_runtime._progress import describe_report

if TYPE_CHECKING:
    from conftest import Fit


def test_reports_and_merged_checkpoints(
    fit: Fit, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_controller._Noted, "metrics_without_checkpoint", False)

    def train() -> list[Any]:
        rank = train_runtime.get_context().get_world_rank()
        seen = [train_runtime.get_checkpoint()]
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, f"rank_{rank}").write_text(str(rank))
            train_runtime.report({"loss": 1.0 + rank, "new": 1}, checkpoint=Checkpoint.from_directory(directory))
            seen.append(train_runtime.get_checkpoint().path)
            assert Path(directory, f"rank_{rank}").exists(), "the reported directory is left alone"
        train_runtime.report({"loss": 0.5 + rank})
        return seen

    result = fit(train)
    assert result.metrics == {"loss": 0.5}
    assert list(result.metrics_dataframe["loss"]) == [1.0, 0.5]
    assert list(result.metrics_dataframe.columns) == ["loss", "new"]
    assert {path.name: path.read_text() for path in Path(result.checkpoint.path).iterdir()} == {
        "rank_0": "0",
        "rank_1": "1",
    }
    assert result.return_value == [None, result.checkpoint.path]
    assert [metrics for _, metrics in result.best_checkpoints] == [{"loss": 1.0, "new": 1}]

    run = tmp_path / "results" / "run"
    assert result.path == str(run)
    lines = (run / "result.json").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"loss": 1.0, "new": 1}, {"loss": 0.5}]
    assert (run / "progress.csv").read_text().splitlines() == ["loss,new", "1.0,1", "0.5,"]
    assert {path.name for path in run.iterdir()} == {
        "checkpoint_manager_snapshot.json",
        "progress.csv",
        "result.json",
        Path(result.checkpoint.path).name,
        *(path.name for path in run.glob("events.out.tfevents.*")),
    }

    err = capfd.readouterr().err
    assert f"report 1: loss=1 new=1 → {Path(result.checkpoint.path).name}\n" in err
    assert "report 2: loss=0.5\n" in err
    assert "the last report had no checkpoint" in err

    again = Result.from_path(run)
    assert again.metrics == result.metrics
    assert again.checkpoint.path == result.checkpoint.path
    assert again.metrics_dataframe.equals(result.metrics_dataframe)


def test_the_best_and_the_latest_stay_and_a_same_name_run_continues(
    fit: Fit, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def train(config: dict[str, Any]) -> str | None:
        start = train_runtime.get_checkpoint()
        for score in config["scores"]:
            with tempfile.TemporaryDirectory() as directory:
                train_runtime.report({"score": score}, Checkpoint(directory), checkpoint_dir_name=f"at_{score}")
        return Path(start.path).name if start else None

    def on_disk() -> set[str]:
        return {path.name for path in (tmp_path / "results" / "run").iterdir() if path.is_dir()}

    keep = CheckpointConfig(num_to_keep=1, checkpoint_score_attribute="score")
    result = fit(train, workers=1, config={"scores": [1, 3, 2]}, checkpoint_config=keep)
    assert result.return_value is None
    assert Path(result.checkpoint.path).name == "at_2"
    assert [metrics for _, metrics in result.best_checkpoints] == [{"score": 3}]
    assert on_disk() == {"at_2", "at_3"}
    assert "Continuing" not in capfd.readouterr().err

    result = fit(train, workers=1, config={"scores": [0]}, checkpoint_config=keep)
    assert result.return_value == "at_2"
    assert on_disk() == {"at_0", "at_3"}
    assert [metrics for _, metrics in result.best_checkpoints] == [{"score": 3}]
    assert list(result.metrics_dataframe["score"]) == [1, 3, 2, 0]
    assert "Continuing the run 'run'" in capfd.readouterr().err
    assert Path(result.get_best_checkpoint("score", "max").path).name == "at_3"


def test_a_directory_that_is_not_ours_is_not_continued(fit: Fit, tmp_path: Path) -> None:
    run = tmp_path / "results" / "run"
    run.mkdir(parents=True)
    (run / "checkpoint_manager_snapshot.json").write_text('{"checkpoint_results": []}')
    with pytest.raises(RuntimeError, match="no list of checkpoints"):
        fit(print)


@pytest.mark.parametrize("tensor_at", ["{'a': tensor}", "{'a': {'b': [tensor]}}"])
def test_a_tensor_in_the_metrics_is_refused(tensor_at: str) -> None:
    torch = pytest.importorskip("torch")
    from train_runtime._session import _reject_tensors

    with pytest.raises(ValueError, match="tensor"):
        _reject_tensors(eval(tensor_at, {"tensor": torch.ones(1)}))
    _reject_tensors({"a": 1.0, "b": {"c": [2, "x"]}})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ("{'a': torch.ones(1)}", ValueError, "tensor"),
        ("{}, Checkpoint('/does/not/exist')", FileNotFoundError, "/does/not/exist"),
        ("{}, None, '../elsewhere'", ValueError, "plain directory name"),
        ("{}, None, 'logs'", ValueError, "workers' output"),
    ],
)
def test_report_refuses_in_the_worker(fit: Fit, arguments: str, error: type[Exception], message: str) -> None:
    def train() -> None:
        import torch

        eval(f"report({arguments})", {"torch": torch, "Checkpoint": Checkpoint, "report": train_runtime.report})

    with pytest.raises(WorkerGroupError, match=message) as raised:
        fit(train, workers=1)
    assert type(raised.value.__cause__) is error


def test_uneven_reports_are_an_error(fit: Fit) -> None:
    def train() -> None:
        for _ in range(1 + train_runtime.get_context().get_world_rank()):
            train_runtime.report({"x": 1})

    with pytest.raises(WorkerGroupError, match=r"Rank 1 called report\(\) once more.*rank 0 has returned") as raised:
        fit(train)
    assert list(raised.value.worker_failures) == [1]


def test_a_report_is_described_in_one_line() -> None:
    metrics = {"loss": 0.123456, "epoch": 3, "table": [1, 2], **{f"m{n}": n for n in range(9)}}
    assert describe_report(7, metrics, "checkpoint_x") == (
        "report 7: loss=0.1235 epoch=3 m0=0 m1=1 m2=2 m3=3 m4=4 m5=5 … → checkpoint_x"
    )
