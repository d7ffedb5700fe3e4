"""Work spread over processes of its own, none of which can take the others down with it."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Lost:
    """What a process left of a task in which it ended: its exit code, which is negative for a signal."""

    exit_code: int

    def __str__(self) -> str:
        if self.exit_code >= 0:
            return f"ended with exit code {self.exit_code}"
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-self.exit_code).name}"
        return f"was ended by signal {-self.exit_code}"


def spread(
    work: Callable[[_Task], _Result],
    tasks: Iterable[_Task],
    number: int,
    context: BaseContext | None = None,
) -> Iterator[tuple[_Task, _Result | Lost]]:
    """What some work makes of each task, in the order in which it is done, in a number of processes at most.

    They end with the iteration, at once. A process that ends in the middle of a task loses that task alone. Where no
    process can be started the work is done in this one.
    """
    context = context or multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    waiting = deque(tasks)
    idle: list[_Worker[_Task, _Result]] = []
    busy: dict[Any, _Worker[_Task, _Result]] = {}  # By the connection, which is of another class on Windows.
    try:
        while waiting or busy:
            while waiting and len(busy) < number:
                try:
                    worker = idle.pop() if idle else _Worker(work, context)
                except OSError:
                    number = len(busy)
                    break
                busy[worker.connection] = worker
                worker.give(waiting.popleft())
            if not busy:
                task = waiting.popleft()
                yield task, work(task)
                continue
            for connection in wait(list(busy)):
                worker = busy.pop(connection)
                result = worker.result()
                if not isinstance(result, Lost):
                    idle.append(worker)
                yield worker.task, result
    finally:
        for worker in (*idle, *busy.values()):
            worker.end()


class _Worker(Generic[_Task, _Result]):
    """A process that does one task after the other."""

    task: _Task

    def __init__(self, work: Callable[[_Task], _Result], context: BaseContext) -> None:
        self.connection, other = context.Pipe()
        # mypy knows the classes of the contexts only.
        self._process = context.Process(target=_serve, args=(other, work), daemon=True)  # type: ignore[attr-defined]
        with other, _interrupts_blocked():
            self._process.start()

    def give(self, task: _Task) -> None:
        self.task = task
        with contextlib.suppress(OSError):  # What has ended has no result either.
            self.connection.send(task)

    def result(self) -> _Result | Lost:
        """What the work made of the task, once there is something to receive."""
        try:
            result: _Result = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            return Lost(self._process.exitcode or 0)
        return result

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def _serve(connection: Connection, work: Callable[[_Task], _Result]) -> None:
    """Do tasks until nobody is left to give any."""
    # Ctrl-C reaches all processes of a terminal: the one that gives the tasks ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(work(connection.recv()))


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Keep Ctrl-C from a process until it ignores it; what comes meanwhile reaches this one at the end."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
