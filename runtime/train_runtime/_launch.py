"""How a worker process is started: a fresh interpreter with one connection to the driver.

Everything that depends on the way of starting is here; the rest of the package sees a `WorkerProcess`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CONTROL_FD = "TRAIN_RUNTIME_CONTROL_FD"
_DRIVER_PID = "TRAIN_RUNTIME_DRIVER_PID"
_SYS_PATH = "TRAIN_RUNTIME_SYS_PATH"

# The worker's sys.path is the driver's before anything is imported: the package may not be installed.
_BOOTSTRAP = (
    f"import json, os, sys; sys.path[:] = json.loads(os.environ.pop('{_SYS_PATH}')); "
    "from train_runtime._worker import main; main()"
)


@dataclass(frozen=True)
class WorkerProcess:
    """A running worker as the driver holds it."""

    connection: Connection
    stdout: IO[bytes]
    stderr: IO[bytes]
    _process: subprocess.Popen[bytes]

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
        with contextlib.suppress(ProcessLookupError, PermissionError):  # ended already, as Linux and macOS say it
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def start_worker(environment: Mapping[str, str], directory: Path) -> WorkerProcess:
    """Start a worker in `directory` with exactly this environment; it waits for its assignment."""
    driver_end, worker_end = Pipe()
    search_path = [entry or os.getcwd() for entry in sys.path]
    process = subprocess.Popen(
        [sys.executable, "-c", _BOOTSTRAP],
        env={
            **environment,
            _CONTROL_FD: str(worker_end.fileno()),
            _DRIVER_PID: str(os.getpid()),
            _SYS_PATH: json.dumps(search_path),
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
    """The worker's end of its connection; called once, in the worker."""
    _die_with(int(os.environ.pop(_DRIVER_PID)))
    return Connection(int(os.environ.pop(_CONTROL_FD)))


def _die_with(driver_pid: int) -> None:
    """Have the kernel kill this worker when its driver ends, however that happens.

    Elsewhere than on Linux the end of the connection does the same, unless a library holds the interpreter's lock.
    """
    if sys.platform == "linux":
        parent_death_signal = 1
        ctypes.CDLL(None, use_errno=True).prctl(parent_death_signal, signal.SIGKILL)
    if os.getppid() != driver_pid:
        os._exit(1)
