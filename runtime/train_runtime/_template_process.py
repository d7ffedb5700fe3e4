"""The template process: imports what the workers will need, then forks a worker for each request of its driver.

It has one thread, leaves CUDA alone, and never runs the user's code: a fork of it is as good as a fresh interpreter
that has imported the same libraries. Where that is not certain it declines, and the driver starts a fresh process.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import io
import json
import os
import selectors
import signal
import socket
import struct
import sys
import tempfile
import time
import warnings
from multiprocessing.connection import Connection
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from train_runtime import _janitor, _ray_alias, _template

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER = struct.Struct("!I")
_PASSED_FDS = 4

# What every worker imports.
_RUNTIME_MODULES = ("cloudpickle", "torch.distributed", "train_runtime._worker", "train_runtime.torch._process_group")

# Variables that libraries read when they are imported, or the interpreter when it starts: a worker for which they were
# changed since needs a process of its own. The numbers of threads are set in the worker instead.
_READ_ONCE = (
    *("PYTHON", "LD_", "GLIBC_", "MALLOC_", "LANG", "LC_", "HOME", "XDG_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "NUMEXPR_", "ARROW_", "TORCH", "PYTORCH_"),
    *("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "USE_TORCH", "USE_TF", "SKLEARN_", "SCIPY_"),
)

# Whose `rank_zero_only` asks for the rank when it is imported, and which variable it asks.
_RANKS_READ_ONCE = {"lightning_utilities.core.rank_zero": "RANK", "torchmetrics.utilities.prints": "LOCAL_RANK"}


def send(driver: socket.socket, message: Mapping[str, Any], fds: list[int]) -> None:
    """Send a message, and file descriptors with it, to the template."""
    body = json.dumps(message).encode()
    data = _HEADER.pack(len(body)) + body
    sent = socket.send_fds(driver, [data], fds)
    driver.sendall(data[sent:])


def _receive(driver: socket.socket) -> tuple[Any, list[int]]:
    """The driver's next message.

    Raises:
        EOFError: if there is none any more.
    """
    header, fds, _, _ = socket.recv_fds(driver, _HEADER.size, _PASSED_FDS, socket.MSG_CMSG_CLOEXEC)
    header += _exactly(driver, _HEADER.size - len(header))
    return json.loads(_exactly(driver, *_HEADER.unpack(header))), list(fds)


def _exactly(driver: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = driver.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def serve(driver_fd: int) -> Connection:
    """Be the template until the driver ends. Returns in each worker, with its connection to the driver."""
    driver = socket.socket(fileno=driver_fd)
    driver.set_inheritable(False)
    _template.forbid()
    write_lines()
    _drop_output()
    start, _ = _receive(driver)
    if start["dies_with_driver"]:
        die_with(start["driver_pid"])
    driver_alive = os.pidfd_open(start["driver_pid"])
    if os.getppid() != start["driver_pid"]:
        os._exit(1)
    if start["serve_ray"]:
        _ray_alias.install()
    with _template.importing():
        _import_all(start["libraries"])
    return _Template(driver, driver_alive, start["environment"]).run()


def leave_driver(driver_fd: int, variables: Mapping[str, str]) -> None:
    """In a fork of the driver: let go of what is the driver's or the user's, as a new interpreter would have it."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    for fd in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # the folder's own
            # What Python opens is not inheritable: these are from before the driver started.
            if fd > 2 and fd != driver_fd and os.get_inheritable(fd):
                os.close(fd)
    os.environ.update({**variables, **os.environ})
    sys.modules["__main__"] = ModuleType("__main__")
    sys.argv[:] = [""]


def write_lines() -> None:
    """Have this process write whole lines, as workers do, and fail on none; their files must be the first ones."""
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(line_buffering=True, errors="backslashreplace")


def _drop_output() -> None:
    """Send what is printed to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for standard in (1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)


def _import_all(libraries: Mapping[str, list[str]]) -> None:
    """Import what is installed of it, as `from module import names` would; an error ends the template."""
    for module in _RUNTIME_MODULES:
        importlib.import_module(module)
    for module, names in libraries.items():
        if not _is_installed(module.partition(".")[0]):
            continue
        try:
            imported = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            continue
        for name in names:
            getattr(imported, name, None)  # modules that load lazily load now


def _is_installed(package: str) -> bool:
    """Whether the name leads to an installed library, not to a module of the user's with the same name."""
    spec = importlib.util.find_spec(package)
    origin = (spec and spec.origin) or ""
    return any(f"{os.sep}{folder}{os.sep}" in origin for folder in ("site-packages", "dist-packages"))


class _Template:
    """Forks workers, and tells the driver of their ends."""

    def __init__(self, driver: socket.socket, driver_alive: int, environment: Mapping[str, str]) -> None:
        self._driver = driver
        self._driver_alive = driver_alive
        self._environment = environment
        self._workers: dict[int, tuple[int, Connection]] = {}
        # Not epoll, whose object a worker would share.
        self._selector = selectors.PollSelector()
        self._selector.register(driver, selectors.EVENT_READ)
        self._selector.register(driver_alive, selectors.EVENT_READ)

    def run(self) -> Connection:
        """Serve until the driver ends. Returns in each worker."""
        while True:
            for key, _ in self._selector.select():
                if key.fd == self._driver_alive:
                    self._end()
                elif key.fd in self._workers:
                    self._reap(key.fd)
                elif connection := self._answer():
                    return connection

    def _answer(self) -> Connection | None:
        """Fork a worker as the driver asks. Gives its connection in the worker, None here.

        The request's last descriptor tells the driver "started", by the worker, and the exit status, by the template.
        Closed without a word it says that there will be no worker.
        """
        try:
            request, fds = _receive(self._driver)
        except (EOFError, ConnectionError):
            self._end()
        status = Connection(fds[3], readable=False)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        template = os.getpid()
        pid = None
        if may_fork() and self._suits(request["environment"]):
            with contextlib.suppress(OSError):
                pid = os.fork()
        if pid == 0:
            self._forget()
            _become_worker(request, fds, status, template)
            return Connection(fds[0])
        for fd in fds[:3]:
            os.close(fd)
        if pid is None:
            status.close()
        else:
            alive = os.pidfd_open(pid)
            self._workers[alive] = pid, status
            self._selector.register(alive, selectors.EVENT_READ)
        return None

    def _suits(self, environment: Mapping[str, str]) -> bool:
        """Whether a process that starts with this environment would have imported the libraries just the same."""
        if not environment.get("OMP_NUM_THREADS", "").isdecimal():
            return False
        return all(
            environment.get(name) in (self._environment.get(name), os.environ.get(name))
            for name in {*environment, *self._environment}
            if name.startswith(_READ_ONCE) and name != "OMP_NUM_THREADS"
        )

    def _reap(self, alive: int) -> None:
        self._selector.unregister(alive)
        os.close(alive)
        pid, status = self._workers.pop(alive)
        _, code = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):
            status.send_bytes(str(os.waitstatus_to_exitcode(code)).encode())
        status.close()

    def _end(self) -> NoReturn:
        _janitor.end_groups([pid for pid, _ in self._workers.values()])
        os._exit(0)

    def _forget(self) -> None:
        """In a worker: let go of what is the template's."""
        self._selector.close()
        self._driver.close()
        os.close(self._driver_alive)
        for alive, (_, status) in self._workers.items():
            os.close(alive)
            status.close()


def may_fork() -> bool:
    """Whether a fork of this process is whole: no thread would be missing in it, and no CUDA context be broken."""
    if _uses_cuda():
        return False
    if _threads() > 1:
        # OpenBLAS ends its threads when the process forks, and starts new ones when they have work: have it do so.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return _threads() == 1


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _uses_cuda() -> bool:
    """Whether CUDA is in use here, of which torch knows nothing if another library has asked the driver for devices."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return True
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"/proc/self/fd/{fd}").startswith(("/dev/nvidia-uvm", "/dev/dxg")):
                return True
    return False


def _become_worker(request: Mapping[str, Any], fds: list[int], status: Connection, template: int) -> None:
    """Make this fork what a fresh process would be. Its signal handlers are: the template has set none."""
    # A group of its own, as of a fresh process; only then the driver may hear of it, and kill the group.
    os.setsid()
    die_with(template)
    status.send_bytes(str(os.getpid()).encode())
    status.close()
    for fd, standard in zip(fds[1:3], (1, 2), strict=True):
        os.dup2(fd, standard)
        os.close(fd)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    tempfile.tempdir = None
    sys.path[:] = request["search_path"]
    importlib.invalidate_caches()
    # Python's own `random` does it by itself.
    sys.modules["torch"].default_generator.seed()
    if random := sys.modules.get("numpy.random"):
        random.seed()
    for module, variable in _RANKS_READ_ONCE.items():
        if rank_zero_only := getattr(sys.modules.get(module), "rank_zero_only", None):
            rank_zero_only.rank = int(os.environ[variable])
    _use_threads(int(os.environ["OMP_NUM_THREADS"]), int(os.environ.get("OPENBLAS_NUM_THREADS", "0")))


def _use_threads(openmp: int, openblas: int) -> None:
    """Give torch and numpy the thread counts that they read from the environment when they are loaded."""
    openmp = max(openmp, 1)
    sys.modules["torch"].set_num_threads(openmp)
    with open("/proc/self/maps") as file:
        loaded = {line.split(maxsplit=5)[-1].strip() for line in file if "openblas" in line}
    for path in loaded:
        library = ctypes.CDLL(path)
        for name in ("openblas_set_num_threads", "scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads"):
            if function := getattr(library, name, None):
                function(openblas or openmp)


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends, however that happens.

    The parent's thread that started this process counts as the parent. Elsewhere than on Linux the end of a worker's
    connection does the same, unless a library holds the interpreter's lock.
    """
    if sys.platform == "linux":
        parent_death_signal = 1
        ctypes.CDLL(None, use_errno=True).prctl(parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)
