"""What `fit()` raises."""

from __future__ import annotations

from typing import Any


class TrainingFailedError(RuntimeError):
    """Training did not finish.

    One class under both names that Ray has used, `ray.train.TrainingFailedError` (2.60) and
    `ray.train.base_trainer.TrainingFailedError` (2.7), and a `RuntimeError` as in 2.7: `except` clauses written for
    either version catch it. `__cause__` is the exception of the worker that failed first.
    """

    worker_failures: dict[int, Exception]

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.worker_failures = {}


class WorkerGroupError(TrainingFailedError):
    """One or more workers failed; `worker_failures` maps each failed rank to its exception (Ray 2.60's class)."""

    def __init__(self, error_message: str, worker_failures: dict[int, Exception]) -> None:
        super().__init__(f"Training failed due to worker errors:\n{error_message}")
        self._error_message = error_message
        self.worker_failures = worker_failures

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._error_message, self.worker_failures)


class ControllerError(TrainingFailedError):
    """The driver's side of the run failed, such as a `UserCallback`: `controller_failure` (Ray 2.60's class)."""

    def __init__(self, controller_failure: Exception) -> None:
        super().__init__(f"Training failed due to controller error:\n{controller_failure}")
        self.controller_failure = controller_failure

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.controller_failure,)


class NCCLHangError(WorkerGroupError):
    """Ray 2.60 raises it where NCCL reports a hang; here a hang is a `WorkerGroupError` with `WorkerHungError`s."""


class PreemptionError(TrainingFailedError):
    """Ray 2.60 raises it where a cluster takes a node away; there is none here, so it is for `except` clauses only."""


class WorkerDiedError(RuntimeError):
    """A worker process ended without an exception: killed by a signal, or by `os._exit`."""


class WorkerHungError(RuntimeError):
    """A worker kept the others waiting for longer than allowed; its text says where it was."""
