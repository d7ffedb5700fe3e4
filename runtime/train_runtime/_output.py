"""What the driver prints: the workers' output with the rank in front, and the run's progress."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import sys
import threading
from dataclasses import dataclass
from numbers import Real
from typing import IO, TYPE_CHECKING, Any, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from train_runtime._launch import WorkerProcess

StreamName = Literal["stdout", "stderr"]
_SHOWN_METRICS = 8


class Console:
    """Prints whole lines from any thread; on a terminal a status line stays below them and is rewritten in place."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status = ""

    def line(self, text: str, stream: StreamName = "stderr") -> None:
        """Print a line above the status."""
        with self._lock:
            self._erase()
            _write(getattr(sys, stream), text + "\n")
            self._draw()

    def progress(self, text: str) -> None:
        """Show the latest state: the status line of a terminal, a line of its own elsewhere."""
        if not sys.stderr.isatty():
            self.line(text)
            return
        with self._lock:
            self._erase()
            self._status = text
            self._draw()

    def close(self) -> None:
        """Leave the last status as an ordinary line."""
        with self._lock:
            if self._status:
                _write(sys.stderr, "\n")
                self._status = ""

    def _erase(self) -> None:
        if self._status:
            _write(sys.stderr, "\r\x1b[K")

    def _draw(self) -> None:
        if self._status:
            width = shutil.get_terminal_size().columns
            _write(sys.stderr, self._status[: width - 1])


def _write(stream: TextIO, text: str) -> None:
    """Write what the stream can take: workers must not stall because their driver's output has no reader any more."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    with contextlib.suppress(BrokenPipeError):
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


def describe_report(number: int, metrics: Mapping[str, Any], checkpoint: str | None) -> str:
    """A report as one line: its number, its scalar metrics and its checkpoint's name."""
    scalars = [f"{name}={_short(value)}" for name, value in metrics.items() if isinstance(value, (Real, str))]
    if len(scalars) > _SHOWN_METRICS:
        scalars[_SHOWN_METRICS:] = ["…"]
    return " ".join([f"report {number}:", *scalars, *([f"→ {checkpoint}"] if checkpoint else [])])


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass
class _RankStream:
    """One stream of one worker, with the line that is not complete yet."""

    prefix: str
    name: StreamName
    pending: bytes = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes; of a line that was rewritten in place, its last state."""
        *complete, rest = (self.pending + data).split(b"\n")
        # Progress bars rewrite their line with carriage returns for as long as they live.
        self.pending = rest[rest.rfind(b"\r", 0, len(rest) - 1) + 1 :]
        return [self._line(line) for line in complete]

    def finish(self) -> list[str]:
        """What was left without a line end."""
        return [self._line(self.pending)] if self.pending.strip() else []

    def _line(self, line: bytes) -> str:
        last_state = line.rstrip(b"\r").rsplit(b"\r", 1)[-1]
        return self.prefix + last_state.decode(errors="replace")


class OutputForwarder:
    """Prints what workers write, until they close their streams."""

    def __init__(self, workers: Sequence[WorkerProcess], console: Console) -> None:
        self._console = console
        self._selector = selectors.DefaultSelector()
        for rank, worker in enumerate(workers):
            self._selector.register(worker.stdout, selectors.EVENT_READ, _RankStream(f"(rank {rank}) ", "stdout"))
            self._selector.register(worker.stderr, selectors.EVENT_READ, _RankStream(f"(rank {rank}) ", "stderr"))
        self._thread = threading.Thread(target=self._run, name="train_runtime-output", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait for the streams' end; a process that a worker left behind may hold them open for longer."""
        self._thread.join(timeout)

    def _run(self) -> None:
        while self._selector.get_map():
            for key, _ in self._selector.select():
                self._forward(key.fileobj, key.data)  # type: ignore[arg-type]

    def _forward(self, file: IO[bytes], stream: _RankStream) -> None:
        data = os.read(file.fileno(), 65536)
        for line in stream.feed(data) if data else stream.finish():
            self._console.line(line, stream.name)
        if not data:
            self._selector.unregister(file)
            file.close()
