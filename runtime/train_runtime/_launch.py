"""How a worker process is started: forked from the driver's template process, or as a fresh interpreter.

Everything that depends on the way of starting is here and in `_template`; the rest of the package sees a
`WorkerProcess`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import IO, TYPE_CHECKING, Protocol

from train_runtime import _janitor, _template
from train_runtime._template_process import die_with, write_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CONTROL_FD = "TRAIN_RUNTIME_CONTROL_FD"
_DRIVER_PID = "TRAIN_RUNTIME_DRIVER_PID"
_SYS_PATH = "TRAIN_RUNTIME_SYS_PATH"

# The worker's sys.path is the driver's before anything is imported: the package may not be installed.
_BOOTSTRAP = (
    f"import json, os, sys; sys.path[:] = json.loads(os.environ.pop('{_SYS_PATH}')); "
    "from train_runtime._launch import connect_to_driver; "
    "from train_runtime._worker import main; main(connect_to_driver())"
)


class _Process(Protocol):
    """What of `subprocess.Popen` is used."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...


@dataclass(frozen=True)
class WorkerProcess:
    """A running worker as the driver holds it."""

    connection: Connection
    stdout: IO[bytes]
    stderr: IO[bytes]
    _process: _Process

    @property
    def pid(self) -> int:
        """The process's id, which is its process group's too."""
        return self._process.pid

    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""
        return self._process.poll()

    def wait(self, timeout: float) -> int | None:
        """The exit status, or None if the process still runs after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End the worker and the processes that it started (data loaders), at once."""
        _janitor.end_groups([self._process.pid])
        self._process.wait()


def start_worker(environment: Mapping[str, str], directory: Path) -> WorkerProcess:
    """Start a worker in `directory` with exactly this environment; it waits for its assignment."""
    template = _template.current()
    forked = template.fork(environment, directory) if template else None
    if forked is None:
        return _start_fresh(environment, directory)
    return WorkerProcess(forked.connection, forked.stdout, forked.stderr, forked.process)


def _start_fresh(environment: Mapping[str, str], directory: Path) -> WorkerProcess:
    """Start a worker as a new interpreter, which imports everything itself."""
    driver_end, worker_end = Pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", _BOOTSTRAP],
        env={
            **environment,
            _CONTROL_FD: str(worker_end.fileno()),
            _DRIVER_PID: str(os.getpid()),
            _SYS_PATH: json.dumps(_template.search_path()),
        },
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[worker_end.fileno()],
        # A group of its own: Ctrl-C reaches the driver alone, which then ends the worker with its children.
        start_new_session=True,
    )
    worker_end.close()
    assert process.stdout is not None
    assert process.stderr is not None
    return WorkerProcess(driver_end, process.stdout, process.stderr, process)


def connect_to_driver() -> Connection:
    """A fresh worker's end of its connection; called once, in the worker."""
    write_lines()
    die_with(int(os.environ.pop(_DRIVER_PID)))
    return Connection(int(os.environ.pop(_CONTROL_FD)))
