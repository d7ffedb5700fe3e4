"""The live display of a run, as lines for a terminal. Only who has a terminal imports this, as it imports rich."""

from __future__ import annotations

import itertools
import re
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from train_runtime._progress import RunProgress, WorkerState, describe_metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# More workers than this, or than there is room for, are shown a line a state.
_MOST_WORKERS = 8

_STYLES = {
    WorkerState.STARTING: "dim",
    WorkerState.RUNNING: "green",
    WorkerState.REPORTING: "cyan",
    WorkerState.FINISHED: "dim green",
    WorkerState.FAILED: "bold red",
    WorkerState.RESTARTING: "yellow",
}
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[^\[]|[\x00-\x1f\x7f]")


def draw(progress: RunProgress, width: int, height: int) -> list[str]:
    """At most `height` lines of at most `width` columns, coloured unless NO_COLOR or the terminal forbids it."""
    console = Console(file=sys.stderr, force_terminal=True, width=width, height=height, legacy_windows=False)
    with console.capture() as capture:
        for line in _lines(progress, height):
            console.print(line, no_wrap=True, overflow="ellipsis")
    return capture.get().splitlines()


def _lines(progress: RunProgress, height: int) -> list[Text]:
    """A line for the run, one each for the latest metrics and checkpoint, and some for the workers."""
    rows: list[tuple[str, Text | str]] = [
        ("run", _run_line(progress)),
        ("metrics", _CONTROLS.sub("", "  ".join(describe_metrics(progress.metrics))) or "none yet"),
        ("saved", progress.checkpoint or "no checkpoint yet"),
    ]
    for label, state, detail in _workers(progress, min(height - len(rows), _MOST_WORKERS)):
        line = Text.assemble((f"{state.value:<10}", _STYLES[state]), "  ", _CONTROLS.sub("", detail))
        rows.append((label, line))
    label_width = max(len(label) for label, _ in rows)
    return [Text.assemble((label.ljust(label_width + 2), "dim"), value) for label, value in rows[:height]]


def _run_line(progress: RunProgress) -> str:
    minutes, seconds = divmod(int(progress.elapsed_s), 60)
    hours, minutes = divmod(minutes, 60)
    reports = "1 report" if progress.reports == 1 else f"{progress.reports} reports"
    return f"{hours}:{minutes:02}:{seconds:02}  {reports}  {progress.name}"


def _workers(progress: RunProgress, room: int) -> Iterator[tuple[str, WorkerState, str]]:
    """Label, state and progress bar of each worker; if there are many, of each state, with its workers."""
    states = list(progress.workers)
    if len(states) <= room:
        for rank, state in enumerate(states):
            yield f"rank {rank}", state, progress.bars.get(rank, "")
        return
    for state in WorkerState:
        if ranks := [rank for rank, other in enumerate(states) if other is state]:
            yield f"{len(ranks)} of {len(states)}", state, f"rank {_ranges(ranks)}"


def _ranges(ranks: Iterable[int]) -> str:
    """Ascending numbers, with what follows on each other as `first-last`."""
    runs = [[rank for _, rank in run] for _, run in itertools.groupby(enumerate(ranks), lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
