"""`RunConfig(callbacks=[...])`: the user's code in the driver."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import train_runtime
from train_runtime import (
    Checkpoint,
    ControllerError,
    FailureConfig,
    LoggingConfig,
    RunConfig,
    UserCallback,
    WorkerGroupError,
)

if TYPE_CHECKING:
    from conftest import Fit

    from train_runtime.callback import TrainRunContext


class Recorder(UserCallback):
    """Notes its calls in a list that callbacks share."""

    def __init__(self, name: str, calls: list[tuple[Any, ...]]) -> None:
        self.name = name
        self.calls = calls

    def after_report(
        self, run_context: TrainRunContext, metrics: list[dict[str, Any]], checkpoint: Checkpoint | None
    ) -> None:
        files = sorted(os.listdir(checkpoint.path)) if checkpoint else None
        self.calls.append((self.name, run_context.get_run_config().name, metrics, files))

    def after_exception(self, run_context: TrainRunContext, worker_exceptions: dict[int, Exception]) -> None:
        failed = {rank: str(error) for rank, error in worker_exceptions.items()}
        self.calls.append((self.name, run_context.train_loop_config, failed))


def train(config: dict[str, Any]) -> None:
    """Report once without and once with a checkpoint; rank 1 fails when it begins anew."""
    rank = train_runtime.get_context().get_world_rank()
    first = train_runtime.get_checkpoint() is None
    print("attempt", 1 if first else 2)
    train_runtime.report({"rank": rank, "n": 1})
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, f"of_rank_{rank}").touch()
        train_runtime.report({"rank": rank, "n": 2}, Checkpoint.from_directory(directory))
    if first and rank == 1:
        raise ValueError(config["message"])


def test_callbacks_hear_of_every_ranks_reports_and_of_failures(
    fit: Fit, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[Any, ...]] = []
    fit(
        train,
        config={"message": "no"},
        callbacks=[Recorder("a", calls), Recorder("b", calls)],
        failure_config=FailureConfig(max_failures=1),
        logging_config=LoggingConfig(log_level="error"),
    )
    attempt = [
        ("run", [{"rank": 0, "n": 1}, {"rank": 1, "n": 1}], None),
        ("run", [{"rank": 0, "n": 2}, {"rank": 1, "n": 2}], ["of_rank_0", "of_rank_1"]),
    ]
    expected = [*attempt, ({"message": "no"}, {1: "no"}), *attempt]
    assert calls == [(name, *call) for call in expected for name in "ab"]

    log = (tmp_path / "results" / "run" / "logs" / "rank_1.log").read_text().splitlines()
    assert [line for line in log if "===" not in line] == ["attempt 1", "attempt 2"]
    assert "rank 1 started again" in log[1]
    err = capfd.readouterr().err
    assert "ValueError: no" in err
    assert "report 1" not in err


def test_callbacks_hear_of_uneven_reports(fit: Fit) -> None:
    calls: list[tuple[Any, ...]] = []

    def train(config: dict[str, Any]) -> None:
        if train_runtime.get_context().get_world_rank() == 1:
            train_runtime.report({})

    with pytest.raises(WorkerGroupError, match="equally often"):
        fit(train, config={}, callbacks=[Recorder("a", calls)], failure_config=FailureConfig(max_failures=-1))
    ((_, _, failed),) = calls
    assert list(failed) == [1]


@pytest.mark.parametrize("method", ["after_report", "after_exception"])
def test_a_callback_that_raises_ends_the_run(fit: Fit, capfd: pytest.CaptureFixture[str], method: str) -> None:
    def fail(self: UserCallback, **arguments: Any) -> None:
        raise KeyError("my mistake")

    callback = type("Mine", (UserCallback,), {method: fail})()
    with pytest.raises(ControllerError, match="controller error:\n'my mistake'") as raised:
        fit(train, config={"message": "no"}, callbacks=[callback], failure_config=FailureConfig(max_failures=-1))
    assert isinstance(raised.value.controller_failure, KeyError)
    assert raised.value.__cause__ is raised.value.controller_failure
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    err = capfd.readouterr().err
    assert 'raise KeyError("my mistake")' in err


def test_callbacks_and_logging_are_checked() -> None:
    with pytest.raises(ValueError, match="UserCallback"):
        RunConfig(callbacks=[object()])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="Invalid log_level: 'LOUD'"):
        LoggingConfig(log_level="LOUD")
    with pytest.raises(ValueError, match="Invalid `LoggingConfig` type"):
        RunConfig(logging_config={"log_level": "INFO"})  # type: ignore[arg-type]
    assert LoggingConfig("warning").log_level == "WARNING"
