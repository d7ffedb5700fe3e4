"""The driver's side of its template process, from which workers are forked instead of importing everything anew.

It comes to be

* as a fork of the driver, when the script's leading imports have run and nothing else has: after them in
  `python -m train_runtime script.py`, with the import of `train_runtime` in `python script.py`. What the script imports
  is then imported once for all processes;
* as a clean interpreter where no such fork can be: the process has a thread or uses CUDA, the script does other things
  first, or a module of the script's imports `ray.train`;
* by the first `fit()` of any other process: a test runner, a notebook, a program in several modules. Merely importing
  the configuration classes starts nothing there.

The template then imports what the script's source names of the well-known libraries (`_preload`), torch alone where
there is no script, while the script goes on. It ends with the driver, and what it prints is dropped. Linux only;
TRAIN_RUNTIME_TEMPLATE=0 in the environment turns it off, and every worker is a fresh process.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from typing import IO, TYPE_CHECKING, NoReturn

from train_runtime import _preload, _ray_alias, _running_script
from train_runtime._forked import ForkedChild, ForkedProcess, ForkedWorker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import ModuleType


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

# No library may start a thread that outlives a fork, or CUDA, when it is imported. (OpenBLAS ends its own at a fork.)
_QUIET = {
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}


@dataclass(frozen=True)
class Template:
    """A template process of this driver."""

    _process: subprocess.Popen[bytes] | ForkedChild
    _socket: socket.socket
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _driver_pid: int = field(default_factory=os.getpid)

    @classmethod
    def start(cls, libraries: Mapping[str, list[str]]) -> Template:
        """Start a clean interpreter that imports these names of these modules; does not wait for it."""
        ours, its = socket.socketpair()
        with its:
            process = subprocess.Popen(
                [sys.executable, "-c", _BOOTSTRAP],
                env={**os.environ, **_QUIET, _DRIVER_FD: str(its.fileno()), _SYS_PATH: json.dumps(search_path())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # as a worker's; the template drops what it prints
                stderr=subprocess.PIPE,
                pass_fds=[its.fileno()],
                start_new_session=True,  # Ctrl-C is the driver's
            )
        return cls(process, ours)._told(libraries)

    @classmethod
    def split_off(cls, libraries: Mapping[str, list[str]]) -> Template | Connection:
        """Fork this process, which then is the driver of the fork. Returns in each worker too, with its connection.

        Raises:
            OSError: if the system has no place for a process.
        """
        from train_runtime import _template_process

        ours, its = socket.socketpair()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pid = os.fork()
        if pid == 0:
            try:
                ours.close()
                _template_process.leave_driver(its.fileno(), _QUIET)
                return _template_process.serve(its.detach())
            except BaseException:
                os._exit(1)
        its.close()
        return cls(ForkedChild(pid), ours)._told(libraries)

    def _told(self, libraries: Mapping[str, list[str]]) -> Template:
        """This template, once it has been told what to do."""
        from train_runtime import _template_process

        atexit.register(self.end)
        with contextlib.suppress(ConnectionError):
            _template_process.send(
                self._socket,
                {
                    "driver_pid": os.getpid(),
                    # To the kernel the parent is a thread, and only the main one lives as long as the process.
                    "dies_with_driver": threading.current_thread() is threading.main_thread(),
                    "environment": dict(os.environ),
                    "libraries": libraries,
                    "serve_ray": _ray_alias.is_installed(),
                },
                [],
            )
        return self

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
    is_importing = False


def forbid() -> None:
    """Start no template in this process: it is a worker, or will be forked into them."""
    _Holder.is_worker = True


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Within this, imports cost less, and leave nothing behind that a fork could not follow."""
    added = [name for name in _QUIET if name not in os.environ] if _is_possible() else []
    collects = gc.isenabled()
    _Holder.is_importing = True
    gc.disable()  # what libraries make when they are imported stays; looking through it takes a third of the time
    os.environ.update({name: _QUIET[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            if os.environ.get(name) == _QUIET[name]:
                del os.environ[name]
        gc.freeze()
        if collects:
            gc.enable()
        _Holder.is_importing = False


def split_off(libraries: Mapping[str, list[str]]) -> Connection | None:
    """Make the template of this process, by a fork if one is as good. Returns in each worker too, with its connection.

    The process must not have run any of the user's code.
    """
    if _Holder.template is not None or not _is_possible():
        return None
    with contextlib.suppress(OSError):  # as a fresh worker process then says
        made = Template.split_off(libraries) if _is_clean() else Template.start(libraries)
        if isinstance(made, Connection):
            return made
        _Holder.template = made
    return None


def _is_clean() -> bool:
    """Whether a fork of this process is as good as a fresh interpreter."""
    from train_runtime._template_process import may_fork

    # A library may have replaced the streams; without streams the files of others have their numbers.
    if not all(isinstance(stream, io.TextIOWrapper) for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return False
    others = [module for module in sys.modules.values() if module is not sys.modules["__main__"]]
    return may_fork() and not any(map(_is_users, others))


def _is_users(module: ModuleType) -> bool:
    """Whether the module comes from the script's folder, and from no library that is installed there."""
    file = getattr(module, "__file__", None) or ""
    folders = ("site-packages", "dist-packages")
    return file.startswith(sys.path[0] + os.sep) and not any(f"{os.sep}{folder}{os.sep}" in file for folder in folders)


def start_early(*, is_needed: bool = False) -> None:
    """Start the template for the running script, if it imports this package (or for sure, if `is_needed`)."""
    if _Holder.template is not None or _Holder.is_importing or not _is_possible():
        return
    imports = _preload.read(_running_script.source())
    if not imports.uses_runtime and not is_needed:
        return
    with importing():
        has_run_ahead = _running_script.run_ahead(imports.leading)
    if not has_run_ahead:
        _start(imports.libraries)
    elif connection := split_off(imports.libraries):
        _serve_as_worker(connection)


def _serve_as_worker(connection: Connection) -> NoReturn:
    """Be a worker from within the script's import of this package."""
    try:
        spec = sys.modules[__package__].__spec__
        # To other threads the import would never end.
        vars(spec)["_initializing"] = False
        from train_runtime import _worker

        _worker.main(connection)
    finally:
        os._exit(1)


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
