"""Supervises one worker group, and serves what its workers ask for: RUNNING → FINISHED, or RUNNING → FAILED."""

from __future__ import annotations

import enum
import pickle
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train_runtime import _blame
from train_runtime._messages import Failed, Finished, Rendezvous, Report, ReportStored, Running, StoreListening
from train_runtime._progress import WorkerState
from train_runtime._worker_group import Exited, WorkerEvent, WorkerGroup
from train_runtime.errors import TrainingFailedError, WorkerGroupError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from train_runtime._blame import Failure
    from train_runtime._callbacks import Callbacks
    from train_runtime._output import Console
    from train_runtime._storage import RunStorage

_BARRIER_WARNING_S = 60.0


class AttemptFailed(Exception):
    """The attempt's workers failed; `blamed` is never empty."""

    def __init__(self, blamed: list[Failure]) -> None:
        super().__init__(blamed)
        self.blamed = blamed


class _State(enum.Enum):
    RUNNING = enum.auto()
    FAILED = enum.auto()
    FINISHED = enum.auto()


class Attempt:
    """What is known about one worker group while it runs."""

    def __init__(
        self, group: WorkerGroup, storage: RunStorage, console: Console, callbacks: Callbacks | None = None
    ) -> None:
        self._group = group
        self._storage = storage
        self._console = console
        self._callbacks = callbacks
        self._waiting: dict[int, Report] = {}
        self._finished: dict[int, Finished] = {}
        self._failures: dict[int, Failure] = {}
        self._warn_at = float("inf")

    def supervise(self) -> bytes:
        """Serve the workers until all train functions have returned.

        Raises:
            AttemptFailed: if a worker failed.
            WorkerGroupError: if the ranks did not report equally often, which a restart would not change.
        """
        while (state := self._state()) is _State.RUNNING:
            for rank, event in self._group.events():
                self._receive(rank, event)
            self._check_barrier()
        if state is _State.FAILED:
            deadline = time.monotonic() + _blame.GRACE_S
            while self._group.is_listening and (left := deadline - time.monotonic()) > 0:
                for rank, event in self._group.events(left):
                    self._receive_failure(rank, event)
            raise AttemptFailed(_blame.culprits(self._failures.values()))
        return_value = self._finished[0].return_value
        assert return_value is not None
        return return_value

    def _state(self) -> _State:
        if self._failures:
            return _State.FAILED
        return _State.FINISHED if len(self._finished) == self._group.size else _State.RUNNING

    def _receive(self, rank: int, event: WorkerEvent) -> None:
        match event:
            case StoreListening(port):
                for peer in range(1, self._group.size):
                    self._group.send(peer, Rendezvous(port))
            case Running():
                self._console.worker(rank, WorkerState.RUNNING)
            case Report():
                self._console.worker(rank, WorkerState.REPORTING)
                self._waiting[rank] = event
                self._warn_at = min(self._warn_at, time.monotonic() + _BARRIER_WARNING_S)
                if len(self._waiting) == self._group.size:
                    self._store_report()
            case Finished():
                self._finished[rank] = event
                self._console.worker(rank, WorkerState.FINISHED)
            case _:
                self._receive_failure(rank, event)

    def _receive_failure(self, rank: int, event: WorkerEvent) -> None:
        match event:
            case Failed():
                self._failures.setdefault(rank, _blame.raised(rank, event))
            case Exited(returncode):
                self._failures.setdefault(rank, _blame.died(rank, returncode))
            case _:
                return
        self._console.worker(rank, WorkerState.FAILED)

    def _store_report(self) -> None:
        """All ranks have reported: keep rank 0's metrics and all ranks' files, and let everybody go on."""
        reports = [self._waiting[rank] for rank in range(self._group.size)]
        self._waiting.clear()
        self._warn_at = float("inf")
        assert reports[0].metrics is not None
        metrics: dict[str, Any] = pickle.loads(reports[0].metrics)
        # Ranks may name the same directory; its files need only be copied once.
        sources = dict.fromkeys(Path(report.checkpoint_path) for report in reports if report.checkpoint_path)
        try:
            checkpoint = self._storage.record(metrics, list(sources), reports[0].checkpoint_dir_name)
        except OSError as error:
            raise TrainingFailedError(f"The report could not be stored in {self._storage.path}: {error}") from error
        name = Path(checkpoint.path).name if checkpoint else None
        self._console.workers(self._group.size, WorkerState.RUNNING)
        self._console.report(len(self._storage.reports), metrics, name)
        self._group.broadcast(ReportStored(checkpoint.path if checkpoint else None))
        if self._callbacks:
            everybodys = [pickle.loads(report.metrics) for report in reports if report.metrics is not None]
            self._callbacks.after_report(everybodys, checkpoint)

    def _check_barrier(self) -> None:
        """Report is a barrier: a rank that has returned can never come to it."""
        if self._waiting and self._finished and not self._failures:
            message = (
                f"Rank {_listed(self._waiting)} called report() once more, but the train function of rank "
                f"{_listed(self._finished)} has returned. Call report() equally often on every rank."
            )
            error = RuntimeError(message)
            raise WorkerGroupError(message, dict.fromkeys(self._waiting, error)) from error
        if time.monotonic() > self._warn_at:
            missing = [rank for rank in range(self._group.size) if rank not in self._waiting]
            self._warn_at = time.monotonic() + _BARRIER_WARNING_S
            self._console.line(
                f"Rank {_listed(self._waiting)} has been waiting in report() for rank {_listed(missing)} for "
                f"{_BARRIER_WARNING_S:g} s. Every rank must call report() equally often."
            )


def _listed(ranks: Sequence[int] | dict[int, Any]) -> str:
    return ", ".join(str(rank) for rank in sorted(ranks))
