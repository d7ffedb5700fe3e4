"""How far a run is: a bar on the terminal, for runs that take their time."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from click._termui_impl import ProgressBar

_PATIENCE_S = 1.0
_STEPS = 200
_LINE_ABOVE_ERASED = "\033[1A\033[2K"
_Item = TypeVar("_Item")


class Watch(Protocol):
    """Hands on what is done one after the other, and may tell somebody how much of it."""

    def __call__(self, items: Iterable[_Item], total: int, what: str) -> Iterable[_Item]: ...


def unwatched(items: Iterable[_Item], total: int, what: str) -> Iterable[_Item]:
    """Tell nobody."""
    return items


def watch_on_terminal() -> Watch:
    """Tell who sits at a terminal: with a bar on standard error, from a second on, which is gone in the end."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return unwatched
    start = time.monotonic()

    def watched(items: Iterable[_Item], total: int, what: str) -> Iterator[_Item]:
        bar: ProgressBar[int] | None = None
        try:
            for done, item in enumerate(items):
                if bar is not None:
                    bar.update(1)
                elif time.monotonic() - start > _PATIENCE_S:
                    steps = max(1, total // _STEPS)
                    bar = click.progressbar(length=total, label=what, file=sys.stderr, update_min_steps=steps)
                    bar.update(done)
                    bar.render_progress()
                yield item
        finally:
            if bar is not None:
                bar.render_finish()
                click.echo(_LINE_ABOVE_ERASED, nl=False, err=True, color=True)

    return watched
