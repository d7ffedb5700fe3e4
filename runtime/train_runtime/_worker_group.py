"""The worker processes of one attempt, as one thing: start, listen, answer, stop."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from train_runtime import _janitor, _launch, _stacks
from train_runtime._messages import DriverMessage, WorkerMessage
from train_runtime._output import Console, OutputForwarder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from train_runtime._launch import WorkerProcess
    from train_runtime._placement import Placement
    from train_runtime._scratch import Scratch

_POLL_S = 0.1
_DRAIN_S = 1.0


@dataclass(frozen=True)
class Exited:
    """A worker's process has ended, with this status (negative for a signal)."""

    returncode: int


WorkerEvent = WorkerMessage | Exited


class WorkerGroup:
    """Running workers; as a context manager it leaves none behind."""

    def __init__(self, workers: Sequence[WorkerProcess], scratch: Scratch, console: Console) -> None:
        self._workers = workers
        self._janitor = scratch.janitor
        self._stacks = scratch.private_folder("stacks")
        self._ranks: dict[Connection, int] = {worker.connection: rank for rank, worker in enumerate(workers)}
        self._ends = _end_fds(workers)
        self._output = OutputForwarder(workers, console)

    @classmethod
    def start(cls, placements: Sequence[Placement], scratch: Scratch, console: Console) -> WorkerGroup:
        """Start one worker a placement; each waits for its assignment."""
        workers: list[WorkerProcess] = []
        try:
            for placement in placements:
                workers.append(_launch.start_worker(placement.environment, scratch.directory))
                scratch.janitor.watch(workers[-1].pid)
        except BaseException:
            for worker in workers:
                worker.kill()
            raise
        return cls(workers, scratch, console)

    @property
    def size(self) -> int:
        """The number of workers."""
        return len(self._workers)

    @property
    def is_listening(self) -> bool:
        """Whether more events may come: some worker has not ended."""
        return bool(self._ranks)

    def send(self, rank: int, message: DriverMessage) -> None:
        """Send to one worker; one that has ended is noticed by `events`, not here."""
        try:
            self._workers[rank].connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            return

    def broadcast(self, message: DriverMessage) -> None:
        """Send to all workers."""
        for rank in range(self.size):
            self.send(rank, message)

    def events(self, timeout: float = _POLL_S) -> list[tuple[int, WorkerEvent]]:
        """What workers sent, and which ended, since the last call; waits up to `timeout` seconds for something."""
        # A worker's own children may hold its connection open after its death, so look at the processes too.
        ends = [self._ends[rank] for rank in self._ranks.values() if rank in self._ends]
        ready = [found for found in wait([*self._ranks, *ends], timeout) if isinstance(found, Connection)]
        ended = [c for c, rank in self._ranks.items() if self._workers[rank].returncode() is not None]
        found: list[tuple[int, WorkerEvent]] = []
        for connection in dict.fromkeys([*ready, *ended]):
            rank = self._ranks[connection]
            try:
                if connection not in ended:
                    found.append((rank, connection.recv()))
                    continue
                while connection.poll():
                    found.append((rank, connection.recv()))
            except (EOFError, ConnectionResetError):
                pass
            del self._ranks[connection]
            returncode = self._workers[rank].wait(_DRAIN_S)
            if returncode is None:  # it closed its connection but runs on: no use to anybody
                self._workers[rank].kill()
                returncode = self._workers[rank].returncode() or 0
            found.append((rank, Exited(returncode)))
        return found

    def stacks_file(self, rank: int) -> Path:
        """Where the worker must write its stacks when it is asked for them."""
        return self._stacks / str(rank)

    def stacks(self, ranks: Sequence[int]) -> dict[int, str]:
        """Where these workers are, as tracebacks."""
        return _stacks.ask({rank: (self._workers[rank].pid, self.stacks_file(rank)) for rank in ranks})

    def join(self, timeout: float) -> None:
        """Let workers that were told to shut down end by themselves."""
        deadline = time.monotonic() + timeout
        for worker in self._workers:
            worker.wait(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> WorkerGroup:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        _janitor.end_groups([worker.pid for worker in self._workers])
        for worker in self._workers:
            worker.kill()
            self._janitor.release(worker.pid)
        self._output.join(_DRAIN_S)
        for worker in self._workers:
            worker.connection.close()
        for fd in self._ends.values():
            os.close(fd)


def _end_fds(workers: Sequence[WorkerProcess]) -> dict[int, int]:
    """File descriptors by rank that are readable once the worker has ended, where the system has such."""
    fds: dict[int, int] = {}
    if hasattr(os, "pidfd_open"):
        for rank, worker in enumerate(workers):
            with contextlib.suppress(ProcessLookupError):
                fds[rank] = os.pidfd_open(worker.pid)
    return fds
