"""What the driver prints: the workers' output with the rank in front, and how the run goes.

On a terminal a display (`_display`) stays below the output and is drawn anew a few times a second, however often the
workers report. Elsewhere reports are lines: the first ones and those with a checkpoint at once, of the others the
latest every few seconds, and the last.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import sys
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Literal, TextIO

from train_runtime._progress import RunProgress, WorkerState, describe_report
from train_runtime._rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from train_runtime._launch import WorkerProcess
    from train_runtime._logs import WorkerLogs

StreamName = Literal["stdout", "stderr"]

_DRAW_EVERY_S = 0.2
# Short runs are over before rich is imported.
_FIRST_DRAW_S = 1.0
_LINE_EVERY_S = 5.0
_FIRST_REPORTS = 10

# What would move the cursor or change the terminal; colours pass.
_MOVES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-ln-~]|\x1b[()#%].|\x1b[^\[\]()#%]|[\x0b\x0c\x0e\x0f]")
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"
# From the first column of the screen's first line, some terminals would keep what is cleared as history.
_CLEAR_ALL = f"\r{_CLEAR_LINE}\x1b[C{_CLEAR_BELOW}\r"
_RESET_COLOURS = "\x1b[0m"
_WRAP_OFF, _WRAP_ON = "\x1b[?7l", "\x1b[?7h"


class Console:
    """Prints from any thread; as a context manager it also shows how the run goes.

    The cursor rests above the display, on an empty line: what others print to the terminal overwrites only that, and
    the display is found again after the terminal's size has changed.
    """

    def __init__(self, name: str = "", *, quiet: bool = False, logs: WorkerLogs | None = None) -> None:
        self._progress = RunProgress(name)
        self._quiet = quiet
        self._logs = logs
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._is_live = not quiet and _is_terminal(sys.stderr) and os.environ.get("TERM", "dumb") != "dumb"
        self._display: list[str] = []
        self._is_aside = False
        self._printed_reports = 0
        self._last_printed = 0
        self._last_line_at = time.monotonic()
        self._thread: threading.Thread | None = None

    def line(self, text: str, stream: StreamName = "stderr") -> None:
        """Print a line."""
        self._print([text], stream)

    def note(self, text: str) -> None:
        """Print a line that a quiet run leaves out."""
        if not self._quiet:
            self.line(text)

    def worker_output(self, rank: int, stream: StreamName, lines: Sequence[bytes]) -> None:
        """Print what a worker wrote, and keep it in its log."""
        if not lines:
            return
        if self._logs is not None and (problem := self._logs.write(rank, lines)):
            self.line(problem)
        self._print([f"(rank {rank}) {line.decode(errors='replace')}" for line in lines], stream)

    def worker_bar(self, rank: int, text: bytes) -> None:
        """Show a line that the worker has not ended but rewrites; empty when there is none."""
        self._progress.bars[rank] = text.decode(errors="replace")

    def workers(self, count: int, state: WorkerState) -> None:
        """Show that all workers are in this state."""
        self._progress.workers = [state] * count

    def restart(self, count: int) -> None:
        """Show that workers are started again, and say so in their logs."""
        self.workers(count, WorkerState.RESTARTING)
        if self._logs is not None:
            self._logs.close()

    def worker(self, rank: int, state: WorkerState) -> None:
        """Show what a worker does."""
        if rank < len(self._progress.workers):
            self._progress.workers[rank] = state

    def report(self, number: int, metrics: Mapping[str, Any], checkpoint: str | None) -> None:
        """Show a report, the run's `number`th; called for each, so it does next to nothing."""
        progress = self._progress
        progress.reports, progress.metrics = number, metrics
        if checkpoint is not None:
            progress.checkpoint = checkpoint
        if not self._is_live and (checkpoint is not None or self._printed_reports < _FIRST_REPORTS):
            self._print_report(checkpoint)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the terminal to others, who may print and ask there; the display comes back with its next drawing."""
        self._clear()
        self._is_aside = True
        try:
            yield
        finally:
            self._is_aside = False

    def __enter__(self) -> Console:
        if not self._quiet:
            self._thread = threading.Thread(target=self._follow, name="train_runtime-console", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state of the run as ordinary lines."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        if self._logs is not None:
            self._logs.close()
        if self._is_live and time.monotonic() - self._progress.started >= _FIRST_DRAW_S:
            self._draw()
            final = self._display
            self._clear()
            _write(sys.stderr, "".join(f"{line}\n" for line in final))
        else:
            self._print_report(None, only_new=True)

    def _follow(self) -> None:
        """Draw the display, or print the latest report, while the run lasts."""
        if not self._is_live:
            while not self._closed.wait(_LINE_EVERY_S / 5):
                if time.monotonic() - self._last_line_at >= _LINE_EVERY_S:
                    self._print_report(None, only_new=True)
            return
        wait_s = _FIRST_DRAW_S
        while not self._closed.wait(wait_s):
            wait_s = _DRAW_EVERY_S
            self._draw()

    def _print_report(self, checkpoint: str | None, *, only_new: bool = False) -> None:
        progress = self._progress
        with self._lock:
            if self._quiet or (only_new and progress.reports == self._last_printed):
                return
            self._last_printed = progress.reports
            self._printed_reports += 1
            self._last_line_at = time.monotonic()
            self._print([describe_report(progress.reports, progress.metrics, checkpoint)], "stderr")

    def _print(self, lines: Sequence[str], stream: StreamName) -> None:
        """Print lines; on the display's terminal they take its place, and it is shown again below them."""
        file = getattr(sys, stream)
        is_shared = self._is_live and _is_terminal(file)
        if is_shared:
            lines = [_MOVES.sub("", line) + (_RESET_COLOURS if "\x1b" in line else "") for line in lines]
        with self._lock:
            end = f"{_CLEAR_LINE}\n" if self._display and is_shared else "\n"
            _write(file, "".join(line + end for line in lines))
            self._show()

    def _clear(self) -> None:
        with self._lock:
            if self._display:
                _write(sys.stderr, _CLEAR_ALL)
                self._display = []

    def _draw(self) -> None:
        """Bring the display up to date."""
        from train_runtime import _display

        with self._lock, contextlib.suppress(OSError):  # a terminal that is gone
            if self._is_aside or not _is_terminal(sys.stderr):
                return
            size = os.get_terminal_size(sys.stderr.fileno())
            drawn = _display.draw(self._progress, max(size.columns - 1, 20), max(size.lines - 2, 1))
            if drawn != self._display:
                self._display = drawn
                self._show()

    def _show(self) -> None:
        """Write the display over what is below the cursor, which stays where it is."""
        if self._display:
            lines = "".join(f"{_CLEAR_LINE}\n{line}" for line in self._display)
            up = f"\r\x1b[{len(self._display)}A"
            _write(sys.stderr, f"\r{_WRAP_OFF}{lines}{_CLEAR_LINE}{_CLEAR_BELOW}{_WRAP_ON}{up}")


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):  # a script's stand-in for a stream, or a closed one
        return False


def _write(stream: TextIO | None, text: str) -> None:
    """Write what the stream can take: workers must not stall because nobody reads their driver's output any more."""
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    with contextlib.suppress(OSError, ValueError):  # no reader, no terminal, or closed
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


@dataclass(frozen=True)
class _RankStream:
    """One stream of one worker."""

    rank: int
    name: StreamName
    rows: Rows


class OutputForwarder:
    """Prints what workers write, until they close their streams."""

    def __init__(self, workers: Sequence[WorkerProcess], console: Console) -> None:
        self._console = console
        self._selector = selectors.DefaultSelector()
        for rank, worker in enumerate(workers):
            self._selector.register(worker.stdout, selectors.EVENT_READ, _RankStream(rank, "stdout", Rows()))
            self._selector.register(worker.stderr, selectors.EVENT_READ, _RankStream(rank, "stderr", Rows()))
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
        rows, bar = stream.rows, stream.rows.bar
        self._console.worker_output(stream.rank, stream.name, rows.feed(data) if data else rows.finish())
        if rows.bar != bar:
            self._console.worker_bar(stream.rank, rows.bar)
        if not data:
            self._selector.unregister(file)
            file.close()
