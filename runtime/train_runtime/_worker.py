"""A worker process: takes its assignment, joins the process group, runs the train function, reports how it went."""

from __future__ import annotations

import atexit
import faulthandler
import linecache
import os
import pickle
import queue
import sys
import threading
import traceback
from typing import TYPE_CHECKING, NoReturn

from train_runtime import _pickling, _ray_alias, _session, _stacks, _template
from train_runtime._messages import (
    Assignment,
    CheckpointStored,
    DriverMessage,
    Failed,
    Finished,
    Rendezvous,
    Running,
    Shutdown,
    StoreListening,
    WorkerMessage,
)

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from types import TracebackType

_PACKAGE = os.path.dirname(__file__)


class DriverChannel:
    """The connection to the driver; its end, while the worker runs, is the worker's end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox: queue.SimpleQueue[DriverMessage] = queue.SimpleQueue()
        self._news: queue.SimpleQueue[CheckpointStored] = queue.SimpleQueue()
        self._sending = threading.Lock()
        threading.Thread(target=self._read, name="train_runtime-driver", daemon=True).start()

    def send(self, message: WorkerMessage) -> None:
        """Send to the driver; blocks only if the driver is behind."""
        with self._sending:
            self._connection.send(message)

    def receive(self) -> DriverMessage:
        """The next message from the driver."""
        return self._inbox.get()

    def stored_meanwhile(self) -> list[CheckpointStored]:
        """The news, since the last call, of checkpoints that nobody waited for."""
        return [self._news.get() for _ in range(self._news.qsize())]

    def fail(self, error: BaseException) -> None:
        """Have the driver end the group because of this error, from any thread."""
        self.send(_failure(error))

    def _read(self) -> None:
        try:
            while True:
                message: DriverMessage = self._connection.recv()
                if isinstance(message, CheckpointStored):
                    self._news.put(message)
                else:
                    self._inbox.put(message)
        except (EOFError, OSError):
            os._exit(1)


def main(connection: Connection) -> NoReturn:
    """The process's entry point, with its connection to the driver."""
    _template.forbid()
    faulthandler.enable()
    channel = DriverChannel(connection)
    assignment = channel.receive()
    assert isinstance(assignment, Assignment), assignment
    try:
        _run(assignment, channel)
    except BaseException as error:
        sys.stdout.flush()
        channel.fail(error)
        # Stay until the driver ends the group: closing the process group's sockets now would only have the
        # other ranks complain about this one.
        while True:
            channel.receive()
    _end()


def _end() -> NoReturn:
    """End the process as it would end by itself, but without taking the interpreter apart.

    That would take longer than to start the worker: each module is cleared, and so first copied from the template.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for the train function's threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def _run(assignment: Assignment, channel: DriverChannel) -> None:
    """Run the train function between joining and leaving the process group."""
    import cloudpickle

    _stacks.offer(assignment.stacks_file)
    if assignment.serve_ray:
        _ray_alias.install()
    sys.argv[:] = assignment.argv
    for file, lines in assignment.sources.items():
        linecache.cache[file] = (sum(map(len, lines)), None, lines, file)

    from train_runtime.torch import _process_group

    worker = assignment.worker
    if worker.rank == 0:
        store = _process_group.listen(assignment.process_group)
        port = store.port
        channel.send(StoreListening(port))
    else:
        rendezvous = channel.receive()
        assert isinstance(rendezvous, Rendezvous), rendezvous
        port = rendezvous.port
        store = _process_group.connect(port, assignment.process_group)
    os.environ["MASTER_PORT"] = str(port)
    session = _session.Session(worker, channel, assignment.checkpoint, assignment.datasets)
    _session.start(session)
    _process_group.join(store, worker, assignment.process_group)

    channel.send(Running())
    value = cloudpickle.loads(assignment.train_function)()
    session.finish_upload()
    returned = None
    if worker.rank == 0:
        returned = _pickling.dumps(
            value, "The train function's return value cannot be sent to the driver", return_value=value
        )
    channel.send(Finished(returned))
    shutdown = channel.receive()
    assert isinstance(shutdown, Shutdown), shutdown
    _process_group.leave()


def _failure(error: BaseException) -> Failed:
    """Pack an exception for the driver, its traceback starting where the user's code does."""
    import cloudpickle

    _ray_alias.explain(error)
    error = error.with_traceback(_from_user_code(error.__traceback__))
    note = ""
    try:
        pickled = cloudpickle.dumps(error)
        pickle.loads(pickled)
    except Exception as reason:
        pickled = None
        why = _pickling.culprits(reason, **{type(error).__name__: error})
        note = f"(The exception is a RuntimeError in the driver, because it cannot be pickled: {why})\n"
    return Failed(
        exception=pickled,
        summary=_summary(error),
        traceback="".join(traceback.format_exception(type(error), error, error.__traceback__)) + note,
        causes=tuple(map(_summary, _with_causes(error))),
    )


def _summary(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(type(error), error)).strip()


def _with_causes(error: BaseException) -> list[BaseException]:
    """The exception, those that it was raised from or beside, and those of its group."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is not None and not any(current is known for known in found):
            found.append(current)
            waiting += [current.__cause__, None if current.__suppress_context__ else current.__context__]
            waiting += getattr(current, "exceptions", ())
    return found


def _from_user_code(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without this package's leading frames; whole if there are no others."""
    step = trace
    while step is not None and step.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        step = step.tb_next
    return step or trace
