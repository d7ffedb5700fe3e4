"""Supervises one worker group, and serves what its workers ask for: RUNNING → FINISHED, or RUNNING → FAILED."""

from __future__ import annotations

import enum
import time
from typing import TYPE_CHECKING

from train_runtime import _blame, _timeouts
from train_runtime._messages import (
    Broadcast,
    Broadcasted,
    Failed,
    Finished,
    ListCheckpoints,
    Persisted,
    Rendezvous,
    Report,
    Running,
    StoreListening,
)
from train_runtime._progress import WorkerState
from train_runtime._reports import Reports
from train_runtime._worker_group import Exited, WorkerEvent, WorkerGroup
from train_runtime.errors import WorkerGroupError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from train_runtime._blame import Failure
    from train_runtime._callbacks import Callbacks
    from train_runtime._output import Console
    from train_runtime._storage import RunStorage
    from train_runtime._timeouts import Timeouts


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
        self,
        group: WorkerGroup,
        storage: RunStorage,
        console: Console,
        timeouts: Timeouts,
        callbacks: Callbacks | None = None,
    ) -> None:
        self._group = group
        self._reports = Reports(group, storage, console, callbacks)
        self._console = console
        self._timeouts = timeouts
        self._waiting: dict[int, Report | Broadcast] = {}
        self._finished: dict[int, Finished] = {}
        self._failures: dict[int, Failure] = {}
        self._heard_at = time.monotonic()
        self._waiting_since = self._warned_at = self._heard_at

    def supervise(self) -> bytes:
        """Serve the workers until all train functions have returned; gives rank 0's pickled return value.

        Raises:
            AttemptFailed: if a worker failed.
            WorkerGroupError: if the ranks did not report equally often, which a restart would not change.
        """
        while (state := self._state()) is _State.RUNNING:
            for rank, event in self._group.events():
                self._receive(rank, event)
            if not self._failures:
                self._check_meeting()
                self._check_time()
            self._reports.flush_if_due()
        if state is _State.FAILED:
            self._hear_more()
            raise AttemptFailed(_blame.culprits(self._failures.values()))
        return_value = self._finished[0].return_value
        assert return_value is not None
        return return_value

    def _state(self) -> _State:
        if self._failures:
            return _State.FAILED
        return _State.FINISHED if len(self._finished) == self._group.size else _State.RUNNING

    def _running(self) -> list[int]:
        """The ranks whose train function has not ended, as far as is known."""
        return [rank for rank in range(self._group.size) if rank not in self._finished and rank not in self._failures]

    def _receive(self, rank: int, event: WorkerEvent) -> None:
        match event:
            case StoreListening(port):
                for peer in range(1, self._group.size):
                    self._group.send(peer, Rendezvous(port))
            case Running():
                self._console.worker(rank, WorkerState.RUNNING)
            case Report() | Broadcast():
                if isinstance(event, Report):
                    self._console.worker(rank, WorkerState.REPORTING)
                if not self._waiting:
                    self._waiting_since = time.monotonic()
                self._waiting[rank] = event
                if len(self._waiting) == self._group.size:
                    self._check_meeting()
                    self._release()
            case Persisted() | ListCheckpoints():
                self._reports.receive(rank, event)
            case _:
                self._receive_end(rank, event)
        # Only now: what the driver itself does, such as to store a report, is no silence of the workers.
        self._heard_at = self._warned_at = time.monotonic()

    def _receive_end(self, rank: int, event: WorkerEvent) -> None:
        match event:
            case Finished():
                self._finished[rank] = event
                self._console.worker(rank, WorkerState.FINISHED)
            case Failed():
                self._fail(_blame.raised(rank, event))
            case Exited(returncode):
                self._fail(_blame.died(rank, returncode))

    def _fail(self, failure: Failure) -> None:
        self._failures.setdefault(failure.rank, failure)
        self._console.worker(failure.rank, WorkerState.FAILED)

    def _release(self) -> None:
        """All ranks have come: let them go on."""
        came = [self._waiting[rank] for rank in range(self._group.size)]
        self._waiting.clear()
        reports = [event for event in came if isinstance(event, Report)]
        if reports:
            self._reports.store(reports)
        else:
            assert isinstance(came[0], Broadcast)
            self._group.broadcast(Broadcasted(came[0].data))

    def _check_meeting(self) -> None:
        """All ranks must come to the same place: one that has returned, or went elsewhere, never will."""
        if self._waiting and self._finished:
            message = (
                f"Rank {_listed(self._waiting)} called {self._place()} once more, but the train function of rank "
                f"{_listed(self._finished)} has returned. Call it equally often on every rank."
            )
        elif len({type(event) for event in self._waiting.values()}) > 1:
            reporting = [rank for rank, event in self._waiting.items() if isinstance(event, Report)]
            others = [rank for rank in self._waiting if rank not in reporting]
            message = (
                f"Rank {_listed(reporting)} called report() where rank {_listed(others)} called "
                f"{_place(self._waiting[others[0]])}. Every rank must call the same in the same order."
            )
        else:
            return
        error = RuntimeError(message)
        raise WorkerGroupError(message, dict.fromkeys(self._waiting, error)) from error

    def _check_time(self) -> None:
        """Warn of ranks that keep the others waiting, or have them fail."""
        now = time.monotonic()
        missing = [rank for rank in self._running() if rank not in self._waiting]
        if self._waiting and now - self._waiting_since > self._timeouts.collective_s:
            self._blame_absent(
                missing,
                f"Rank {_listed(self._waiting)} waited in {self._place()} for rank {_listed(missing)} for more than "
                f"{self._timeouts.collective_s:g} s ({_timeouts.COLLECTIVE}).",
            )
        elif now - self._heard_at > self._timeouts.hang_s:
            returned = f" Rank {_listed(self._finished)} has returned." if self._finished else ""
            self._blame_absent(
                missing, f"Nothing was heard of any rank for {self._timeouts.hang_s:g} s ({_timeouts.HANG}).{returned}"
            )
        elif (self._waiting or self._finished) and now - self._warned_at > self._timeouts.warn_s:
            self._warned_at = now
            self._warn(missing, now)

    def _warn(self, missing: list[int], now: float) -> None:
        where = "\n".join(f"Rank {rank} is here:\n{stack}" for rank, stack in self._group.stacks(missing).items())
        if self._waiting:
            self._console.line(
                f"Rank {_listed(self._waiting)} has been waiting in {self._place()} for rank {_listed(missing)} for "
                f"{now - self._waiting_since:.0f} s. Every rank must call it equally often. "
                f"{_timeouts.COLLECTIVE}=SECONDS makes waiting longer an error.\n{where}"
            )
        else:
            self._warned_at = float("inf")  # what the others do may well take its time
            self._console.line(
                f"The train function of rank {_listed(self._finished)} has returned, that of rank {_listed(missing)} "
                f"has not for {self._timeouts.warn_s:g} s. If it waits for the others, TorchConfig(timeout_s) or "
                f"{_timeouts.HANG}=SECONDS ends it.\n{where}"
            )

    def _place(self) -> str:
        return _place(next(iter(self._waiting.values())))

    def _hear_more(self) -> None:
        """Hear what else fails, as the first news may come from a rank that only lost its peer."""
        started = time.monotonic()
        while self._group.is_listening and self._running():
            left = started + _blame.patience_s(self._failures.values()) - time.monotonic()
            if left <= 0:
                break
            for rank, event in self._group.events(left):
                self._receive_end(rank, event)
        if _blame.are_victims(self._failures.values()):
            waited = f"while rank {_listed(self._failures)} waited for it in a collective"
            for rank in self._finished:
                self._fail(_blame.absent(rank, f"The train function has returned, {waited}."))
            self._blame_absent(self._running(), f"The worker did not take part, {waited}.")

    def _blame_absent(self, ranks: list[int], summary: str) -> None:
        for rank, stack in self._group.stacks(ranks).items():
            self._fail(_blame.absent(rank, f"{summary} It was here:", stack))


def _place(event: Report | Broadcast) -> str:
    return event.caller if isinstance(event, Broadcast) else "report()"


def _listed(ranks: Iterable[int]) -> str:
    return ", ".join(str(rank) for rank in sorted(ranks))
