"""Ends what workers started and clears the run's temporary folder, also when the driver itself was killed.

Beside each run a small process of its own waits for the driver's end; it is this file, run as a script, and so uses the
standard library only.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_TRACKERS_S = 1.0
_GIVE_UP_S = 5.0
_AGAIN_S = 0.002


@dataclass(frozen=True)
class Janitor:
    """The driver's side of the process."""

    _orders: IO[bytes]

    @classmethod
    @contextlib.contextmanager
    def beside(cls, folder: Path) -> Iterator[Janitor]:
        """Have the folder cleared, and watched process groups ended, should this process end within the context.

        The folder need not be there yet.
        """
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # what it cannot be told any more must not come up again when the pipe is closed
            start_new_session=True,  # who kills the driver's group, spares it
        )
        assert process.stdin is not None
        try:
            yield cls(process.stdin)
        finally:
            process.stdin.close()
            process.wait()

    def watch(self, group: int) -> None:
        """End this process group after the driver."""
        self._order(f"+{group}")

    def release(self, group: int) -> None:
        """The group has ended."""
        self._order(f"-{group}")

    def _order(self, text: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # it was killed; the run goes on without it
            self._orders.write(f"{text}\n".encode())


def end_groups(groups: Collection[int]) -> None:
    """Kill these process groups, and wait until they are gone.

    Only the resource trackers of multiprocessing may end by themselves, as they do once their processes are gone: they
    remove the shared memory that these have left behind.
    """
    if not os.path.isdir("/proc/self"):
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # ended already, as Linux and macOS say it
                os.killpg(group, signal.SIGKILL)
        return
    started = time.monotonic()
    while (members := _members(groups)) and (passed := time.monotonic() - started) < _GIVE_UP_S:
        for pid in members:
            if passed > _TRACKERS_S or not _is_resource_tracker(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(_AGAIN_S)


def _members(groups: Collection[int]) -> list[int]:
    """The processes of these groups that have not ended."""
    existing = {group for group in groups if _exists(group)}
    if not existing:
        return []
    members = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
            state, _, group = file.read().rpartition(b") ")[2].split(maxsplit=3)[:3]
            if int(group) in existing and state not in b"ZX":
                members.append(int(pid))
    return members


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_resource_tracker(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"resource_tracker" in file.read()
    except OSError:
        return False


def clear(folder: str | os.PathLike[str]) -> None:
    """Remove what is not the user's from a run's temporary folder: `private`, and empty folders."""
    shutil.rmtree(os.path.join(folder, "private"), ignore_errors=True)
    for empty, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(empty)


def _main(driver: int, folder: str) -> None:
    """Take orders until the driver ends."""
    groups: set[int] = set()
    for order in _orders(driver):
        group = int(order[1:])
        if order.startswith(b"+"):
            groups.add(group)
        else:
            groups.discard(group)
    end_groups(groups)
    clear(folder)


def _orders(driver: int) -> Iterator[bytes]:
    """The lines of standard input until its end, or the driver's: a fork of the driver may hold the pipe open."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    if hasattr(os, "pidfd_open") and os.getppid() == driver:
        with contextlib.suppress(ProcessLookupError):
            poll.register(os.pidfd_open(driver), select.POLLIN)
    pending = b""
    while True:
        ready = {fd for fd, _ in poll.poll()}
        data = os.read(0, 65536) if 0 in ready else b""
        *lines, pending = (pending + data).split(b"\n")
        yield from lines
        if not data:
            return


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2])
