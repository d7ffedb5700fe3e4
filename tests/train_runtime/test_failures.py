"""Workers that fail: who is blamed, what the user sees, and how the group goes on."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import train_runtime
from train_runtime import Checkpoint, FailureConfig, TrainingFailedError, WorkerDiedError, WorkerGroupError, _blame
from train_runtime._messages import Failed
from train_runtime.base_trainer import TrainingFailedError as TrainingFailedErrorOfRay27

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Fit


class CustomError(Exception):
    """Needs two arguments, so that pickling it naively fails."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")


def test_there_is_one_error_class_under_both_names() -> None:
    assert TrainingFailedErrorOfRay27 is TrainingFailedError
    assert issubclass(WorkerGroupError, TrainingFailedError)
    assert issubclass(TrainingFailedError, RuntimeError)
    error = pickle.loads(pickle.dumps(WorkerGroupError("text", {1: KeyError("x")})))
    assert "text" in str(error)
    assert list(error.worker_failures) == [1]


def test_an_exception_arrives_with_rank_traceback_and_type(fit: Fit) -> None:
    class LocalError(Exception):
        pass

    def deep() -> None:
        try:
            {}["missing"]
        except KeyError as error:
            raise LocalError("went wrong") from error

    def train() -> None:
        import torch
        import torch.distributed as dist

        if dist.get_rank() == 1:
            deep()
        dist.all_reduce(torch.ones(1))  # rank 0 waits here for its peer, and must not be blamed

    with pytest.raises(WorkerGroupError) as raised:
        fit(train)
    error = raised.value
    assert list(error.worker_failures) == [1]
    assert isinstance(error.__cause__, LocalError)
    assert error.worker_failures[1] is error.__cause__
    message = str(error)
    assert message.startswith("Training failed due to worker errors:\n[Rank 1]\nTraceback")
    for part in ("KeyError: 'missing'", 'raise LocalError("went wrong") from error', "LocalError: went wrong", "deep"):
        assert part in message
    assert "_worker.py" not in message, "the traceback starts in the user's code"


@pytest.mark.parametrize(
    ("end", "error", "message"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), WorkerDiedError, "killed by SIGKILL"),
        (lambda: os._exit(3), WorkerDiedError, "exited with status 3"),
        (lambda: sys.exit("enough"), RuntimeError, "SystemExit: enough"),
    ],
)
def test_a_worker_that_ends_is_blamed_rather_than_its_peers(
    fit: Fit, end: Callable[[], None], error: type[Exception], message: str
) -> None:
    def train() -> None:
        import torch
        import torch.distributed as dist

        dist.barrier()
        if dist.get_rank() == 1:
            end()
        dist.all_reduce(torch.ones(1))

    with pytest.raises(WorkerGroupError, match=message) as raised:
        fit(train)
    assert list(raised.value.worker_failures) == [1]
    assert type(raised.value.__cause__) is error


def test_an_exception_that_cannot_be_pickled_keeps_its_text(fit: Fit) -> None:
    def train() -> None:
        raise CustomError(7, "odd")

    with pytest.raises(WorkerGroupError, match="CustomError: 7: odd") as raised:
        fit(train, workers=1)
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_a_failed_group_restarts_from_the_latest_checkpoint(fit: Fit, capfd: pytest.CaptureFixture[str]) -> None:
    def train() -> int:
        checkpoint = train_runtime.get_checkpoint()
        start = int(Path(checkpoint.path, "step").read_text()) + 1 if checkpoint else 0
        for step in range(start, 4):
            if step == 2 and start == 0 and train_runtime.get_context().get_world_rank() == 1:
                raise ValueError("only the first time")
            with tempfile.TemporaryDirectory() as directory:
                Path(directory, "step").write_text(str(step))
                train_runtime.report({"step": step}, checkpoint=Checkpoint(directory))
        return start

    result = fit(train, failure_config=FailureConfig(max_failures=1))
    assert result.return_value == 2
    assert list(result.metrics_dataframe["step"]) == [0, 1, 2, 3]
    assert len(result.best_checkpoints) == 4
    err = capfd.readouterr().err
    assert "Rank 1 failed: ValueError: only the first time" in err
    assert "Starting the workers again, from checkpoint_" in err


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process by pidfd, which Linux has")
def test_what_a_worker_started_ends_with_it(fit: Fit, tmp_path: Path) -> None:
    file = tmp_path / "pid"

    def train() -> None:
        file.write_text(str(subprocess.Popen(["sleep", "1000"]).pid))
        raise ValueError("leaves a child behind")

    with pytest.raises(WorkerGroupError):
        fit(train, workers=1)
    try:
        child = os.pidfd_open(int(file.read_text()))
    except ProcessLookupError:
        return
    ended, _, _ = select.select([child], [], [], 30)
    os.close(child)
    assert ended


def test_failures_beyond_the_limit_are_raised(fit: Fit, tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"

    def train() -> None:
        with attempts.open("a") as file:
            file.write("x")
        raise ValueError("always")

    with pytest.raises(TrainingFailedError, match="always"):
        fit(train, workers=1, failure_config=FailureConfig(max_failures=1))
    assert attempts.read_text() == "xx"


LOST = "RuntimeError: [gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:9125"
TIMED_OUT = "RuntimeError: [gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting 1000ms for recv operation"


def failure(rank: int, *causes: str) -> _blame.Failure:
    return _blame.raised(rank, Failed(exception=None, summary=causes[0], traceback=causes[0], causes=causes))


@pytest.mark.parametrize(
    ("failures", "blamed"),
    [
        ([failure(0, "RuntimeError: Connection closed by peer [127.0.0.1]:4"), failure(1, "ValueError: x")], [1]),
        ([failure(0, "RuntimeError: Connection reset by peer"), _blame.died(1, -signal.SIGKILL)], [1]),
        ([failure(0, "ValueError: x"), _blame.died(1, -signal.SIGSEGV)], [1, 0]),
        ([failure(0, "ValueError: x"), failure(1, "ValueError: x")], [0, 1]),
        ([failure(0, "DistBackendError: remote process exited"), failure(1, "Broken pipe")], [0, 1]),
        ([failure(0, LOST), failure(1, "requests.ConnectionError: Connection reset by peer")], [1, 0]),
        ([failure(0, "Error: step", LOST), failure(1, "ValueError: x")], [1]),
        ([failure(0, LOST), failure(1, TIMED_OUT), _blame.absent(2, "It slept.")], [2, 1, 0]),
        ([_blame.died(0, -signal.SIGABRT), _blame.died(1, -signal.SIGKILL)], [1, 0]),
        ([failure(0, "RuntimeError: DataLoader timed out after 5 seconds"), failure(1, TIMED_OUT)], [0]),
    ],
)
def test_culprits_come_first_and_lost_peers_are_left_out(failures: list[_blame.Failure], blamed: list[int]) -> None:
    assert [culprit.rank for culprit in _blame.culprits(failures)] == blamed
    error: Any = _blame.to_error(_blame.culprits(failures))
    assert list(error.worker_failures) == blamed
