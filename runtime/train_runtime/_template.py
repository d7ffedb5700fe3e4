"""The driver's side of its template process, from which workers are forked instead of importing everything anew.

It is started, as a clean interpreter,

* as soon as `python -m train_runtime script.py` has read a script that imports `ray.train` or `train_runtime`, or a
  module of the script's imports `ray.train`;
* when `train_runtime` is imported and the source of the running script says that it imports it itself;
* by the first `fit()` of any other process: a test runner, a notebook, a program in several modules. Merely importing
  the configuration classes starts nothing there.

Meanwhile the script goes on: both import at the same time. The template imports what the script's source names of the
well-known libraries (`_preload`), torch alone where there is no script. It ends with the driver, and what it prints is
dropped. Linux only; TRAIN_RUNTIME_TEMPLATE=0 in the environment turns it off, and every worker is a fresh process.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from typing import IO, TYPE_CHECKING

from train_runtime import _preload, _ray_alias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from train_runtime._preload import ScriptImports

_SYS_PATH = "TRAIN_RUNTIME_SYS_PATH"
_DRIVER_FD = "TRAIN_RUNTIME_DRIVER_FD"
_SWITCH = "TRAIN_RUNTIME_TEMPLATE"

# In a worker, `serve` returns.
_BOOTSTRAP = (
    f"import json, os, sys; sys.path[:] = json.loads(os.environ.pop('{_SYS_PATH}')); "
    "from train_runtime._template_process import serve; "
    f"connection = serve(int(os.environ.pop('{_DRIVER_FD}'))); "
    "from train_runtime._worker import main; main(connection)"
)

# No library may start a thread, or CUDA, when it is imported.
_QUIET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}


class ForkedProcess:
    """A worker that the template has forked, and whose parent it is; the methods are those of `Popen`."""

    def __init__(self, pid: int, status: Connection) -> None:
        self.pid = pid
        self._status = status
        self._returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""
        if self._returncode is None and self._status.poll(0):
            self._receive()
        return self._returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status.

        Raises:
            subprocess.TimeoutExpired: if the process still runs after `timeout` seconds.
        """
        if self._returncode is None:
            if not self._status.poll(timeout):
                raise subprocess.TimeoutExpired("worker", timeout or 0)
            self._receive()
        assert self._returncode is not None
        return self._returncode

    def _receive(self) -> None:
        try:
            self._returncode = int(self._status.recv_bytes())
        except (EOFError, ConnectionError):
            # The template was killed, and the kernel has then killed the worker.
            self._returncode = -signal.SIGKILL
        self._status.close()


@dataclass(frozen=True)
class ForkedWorker:
    """A forked worker with the driver's ends of its connection and output."""

    process: ForkedProcess
    connection: Connection
    stdout: IO[bytes]
    stderr: IO[bytes]


@dataclass(frozen=True)
class Template:
    """A template process of this driver."""

    _process: subprocess.Popen[bytes]
    _socket: socket.socket
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _driver_pid: int = field(default_factory=os.getpid)

    @classmethod
    def start(cls, imports: Mapping[str, list[str]]) -> Template:
        """Start a template that imports these names of these modules; does not wait for it."""
        from train_runtime import _template_process

        ours, its = socket.socketpair()
        environment = dict(os.environ)
        with its:
            process = subprocess.Popen(
                [sys.executable, "-c", _BOOTSTRAP],
                env={**environment, **_QUIET, _DRIVER_FD: str(its.fileno()), _SYS_PATH: json.dumps(search_path())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # as a worker's; the template drops what it prints
                stderr=subprocess.PIPE,
                pass_fds=[its.fileno()],
                start_new_session=True,  # Ctrl-C is the driver's
            )
        template = cls(process, ours)
        atexit.register(template.end)
        with contextlib.suppress(ConnectionError):
            _template_process.send(
                ours,
                {
                    "driver_pid": os.getpid(),
                    # To the kernel the parent is a thread, and only the main one lives as long as the process.
                    "dies_with_driver": threading.current_thread() is threading.main_thread(),
                    "environment": environment,
                    "libraries": imports,
                    "serve_ray": _ray_alias.is_installed(),
                },
                [],
            )
        return template

    def fork(self, environment: Mapping[str, str], directory: Path) -> ForkedWorker | None:
        """Have a worker forked; waits until the template has imported everything. None if that is impossible."""
        from train_runtime import _template_process

        if os.getpid() != self._driver_pid or self._process.poll() is not None:
            return None
        connection, its_connection = Pipe()
        status, its_status = Pipe(duplex=False)
        stdout, its_stdout = _pipe()
        stderr, its_stderr = _pipe()
        request = {"environment": dict(environment), "directory": str(directory), "search_path": search_path()}
        with its_connection, its_status, its_stdout, its_stderr:
            theirs = [its_connection.fileno(), its_stdout.fileno(), its_stderr.fileno(), its_status.fileno()]
            with self._lock, contextlib.suppress(ConnectionError):
                _template_process.send(self._socket, request, theirs)
        try:
            pid = int(status.recv_bytes())
        except (EOFError, ConnectionError):
            for end in (connection, status, stdout, stderr):
                end.close()
            return None
        return ForkedWorker(ForkedProcess(pid, status), connection, stdout, stderr)

    def end(self) -> None:
        """End the template; of a fork of the driver, only let go of it."""
        self._socket.close()
        if os.getpid() == self._driver_pid:
            self._process.kill()
            self._process.communicate()


def search_path() -> list[str]:
    """This process's `sys.path`, as a process with another current directory can use it."""
    return [entry or os.getcwd() for entry in sys.path]


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return open(reading, "rb"), open(writing, "wb")


class _Holder:
    """The process's template: none was started yet, or it was, or it never will be."""

    template: Template | None = None
    is_worker = False


def forbid() -> None:
    """Start no template in this process: it is a worker, or will be forked into them."""
    _Holder.is_worker = True


def start_early(*, is_needed: bool = False) -> None:
    """Start the template for the running script, if it imports this package (or for sure, if `is_needed`)."""
    if _Holder.template is None and _is_possible():
        imports = _script_imports()
        if imports.uses_runtime or is_needed:
            _start(imports.libraries)


def current() -> Template | None:
    """The template, started now if it was not before; None where there can be none."""
    if _Holder.template is None and _is_possible():
        _start({})
    return _Holder.template


def _start(libraries: Mapping[str, list[str]]) -> None:
    with contextlib.suppress(OSError):  # as a fresh worker process then says
        _Holder.template = Template.start(libraries)


def _is_possible() -> bool:
    if sys.platform != "linux" or not sys.executable or _Holder.is_worker or os.environ.get(_SWITCH) == "0":
        return False
    # Processes of multiprocessing import the script once more.
    processes = sys.modules.get("multiprocessing.process")
    return processes is None or processes.parent_process() is None


def _script_imports() -> ScriptImports:
    """What the running script imports, as its file says."""
    try:
        with open(getattr(sys.modules["__main__"], "__file__", None) or os.devnull, "rb") as file:
            return _preload.read(file.read())
    except OSError:
        return _preload.read(b"")
