"""A file's change as people read it: the whole file, or the cells of a notebook."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from migrate_trainers.reporting.diffs import texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from migrate_trainers.findings import FileResult, Finding


@dataclass(frozen=True)
class Section:
    """A text before and after, with the findings in it; a cell of a notebook has a title.

    Line ends are `\\n`.
    """

    title: str
    before: str
    after: str
    findings: tuple[Finding, ...]

    @property
    def changed(self) -> bool:
        return self.before != self.after


def sections(path: Path, result: FileResult) -> list[Section]:
    """What there is to see of a file: the changed cells of a notebook and those with findings; else all of it."""
    before, after = texts(result)
    if path.suffix == ".ipynb":
        try:
            return list(_cells(before, after, result.findings))
        except (ValueError, KeyError, TypeError):
            pass  # No notebook: its text is shown.
    return [Section("", _with_line_feeds(before), _with_line_feeds(after), result.findings)]


def _with_line_feeds(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _cells(before: str, after: str, findings: tuple[Finding, ...]) -> Iterator[Section]:
    whole = tuple(finding for finding in findings if finding.cell is None)
    if whole:
        yield Section("", "", "", whole)
    cells = zip_longest(_cell_sources(before), _cell_sources(after), fillvalue="")
    for number, (old, new) in enumerate(cells, start=1):
        own = tuple(finding for finding in findings if finding.cell == number)
        if own or old != new:
            yield Section(f"cell {number}", old, new, own)


def _cell_sources(notebook: str) -> list[str]:
    cells: list[dict[str, Any]] = json.loads(notebook)["cells"]
    return ["".join(cell["source"]).rstrip("\n") + "\n" for cell in cells]
