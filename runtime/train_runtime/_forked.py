"""Processes that were forked, as their parent or the driver holds them; the methods are those of `Popen`."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class ForkedChild:
    """A child of this process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._alive = os.pidfd_open(pid)
        self._ended = False

    def poll(self) -> int | None:
        """0 if it has ended, None while it runs."""
        if not self._ended and select.select([self._alive], [], [], 0)[0]:
            self.communicate()
        return 0 if self._ended else None

    def communicate(self) -> None:
        """Wait for its end; it has no pipes to close."""
        if not self._ended:
            with contextlib.suppress(ChildProcessError):  # others may have waited for any child
                os.waitid(os.P_PIDFD, self._alive, os.WEXITED)
            os.close(self._alive)
            self._ended = True

    def kill(self) -> None:
        """End it at once."""
        if not self._ended:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._alive, signal.SIGKILL)


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
