"""Where a worker is that does not move: the stacks of its threads, asked for by a signal.

A signal reaches also a worker that holds the interpreter's lock, or waits in a library.
"""

from __future__ import annotations

import contextlib
import faulthandler
import linecache
import os
import re
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# One that no library uses, where there is such a thing.
_SIGNAL = getattr(signal, "SIGRTMAX", signal.SIGUSR2)
_ANSWER_S = 2.0
_QUIET_S = 0.05
_WORKER = os.path.join(os.path.dirname(__file__), "_worker.py")
_IMPORTING = "<frozen importlib"  # tracebacks leave it out, too
_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)')


def offer(file: str) -> None:
    """In a worker: write the stacks to the file whenever the driver asks."""
    faulthandler.register(_SIGNAL, file=open(file, "w"), all_threads=True)  # noqa: SIM115


def ask(workers: Mapping[int, tuple[int, Path]]) -> dict[int, str]:
    """The stacks of workers by rank, as tracebacks show them; `workers` are their process ids and files."""
    before = {rank: _size(file) for rank, (_, file) in workers.items()}
    for rank, (pid, _) in workers.items():
        if before[rank] is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, _SIGNAL)
    deadline = time.monotonic() + _ANSWER_S
    sizes: dict[int, int | None] = {}
    while time.monotonic() < deadline:
        time.sleep(_QUIET_S)
        now = {rank: _size(file) for rank, (_, file) in workers.items()}
        if now == sizes and all(now[rank] != before[rank] for rank in workers):
            break
        sizes = now
    return {
        rank: _readable(file.read_text(errors="replace")[before[rank] or 0 :]) for rank, (_, file) in workers.items()
    }


def _size(file: Path) -> int | None:
    return file.stat().st_size if file.exists() else None


def _text(file: Path, start: int | None) -> str:
    return "" if start is None else file.read_bytes()[start:].decode(errors="replace")


def _readable(dump: str) -> str:
    """The dump's threads, without this package's own, with source lines, the most recent call last."""
    threads = []
    for thread in re.split(r"\n(?=(?:Current thread|Thread) 0x)", dump):
        frames = [match.groupdict() for match in _FRAME.finditer(thread) if not match["file"].startswith(_IMPORTING)]
        ours = {frame["function"]: index for index, frame in enumerate(frames) if frame["file"] == _WORKER}
        if "_read" not in ours:
            threads.append("\n".join(map(_described, reversed(frames[: ours.get("_run")]))))
    return "\n\nIn another thread:\n".join(threads) or "  (It did not say where it is: stopped, or not started yet.)"


def _described(frame: Mapping[str, str]) -> str:
    line = f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}'
    source = linecache.getline(frame["file"], int(frame["line"])).strip()
    return f"{line}\n    {source}" if source else line
