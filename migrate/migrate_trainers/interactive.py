"""`--interactive`: asks for each call site, as `git add --patch` does for each hunk."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import click

from migrate_trainers.changes import groups, left
from migrate_trainers.file_findings import file_finding
from migrate_trainers.reporting.diffs import text_diff
from migrate_trainers.reporting.places import shown
from migrate_trainers.selection import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from migrate_trainers.changes import Results
    from migrate_trainers.findings import FileResult

_HUNK = re.compile(r"^@@ -(\d+)", re.MULTILINE)
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_HELP = """\
y - migrate this
n - leave this, and with it the rest of what changes together
a - migrate this and the rest of what changes together
d - leave all of what changes together
q - quit: leave this and all that comes
? - print help"""


def ask(results: Mapping[Path, FileResult]) -> Results:
    """The results that a person wants to have, after looking at each; the others stay as they are, with a finding."""
    wanted = dict(results)
    quits = False
    for group in groups(results):
        answer = "q" if quits else _answer(group)
        quits = answer == "q"
        if answer not in "ya":
            wanted |= left(group, dict.fromkeys(group, file_finding("MT916", "migrate it in another run")))
    return wanted


def _answer(group: Mapping[Path, FileResult]) -> str:
    """The first answer about a group that settles it."""
    parts = [(path, part) for path, result in group.items() for part in _parts(path, result)]
    for number, (path, part) in enumerate(parts, start=1):
        for line in part.splitlines():
            click.secho(line, fg=_COLOURS.get(line[:1]))
        count = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        answer = _ask(f"Migrate this in {shown(path)}{count} [y,n,a,d,q,?]")
        if answer != "y":
            return answer
    return "y"


def _ask(question: str) -> str:
    while True:
        try:
            answer = click.prompt(click.style(question, bold=True), prompt_suffix="? ", default="?", show_default=False)
        except click.Abort:  # The end of the input, or Ctrl-C: nothing was agreed to.
            click.echo()
            return "q"
        if answer in list("ynadq"):
            return str(answer)
        click.echo(_HELP)


def _parts(path: Path, result: FileResult) -> Iterator[str]:
    """The diff of a file, in one part for each call site: the hunks down to it, and the last with the rest."""
    diff = text_diff(path, result)
    sites = sorted(finding.line for finding in result.findings if finding.code in RULES.values())
    starts = [(match.start(), int(match[1])) for match in _HUNK.finditer(diff)]
    cuts = [
        start
        for (_, line), (start, next_line) in itertools.pairwise(starts)
        if any(line <= site < next_line for site in sites) and next_line <= max(sites)
    ]
    for start, end in zip([0, *cuts], [*cuts, len(diff)], strict=True):
        yield diff[start:end]
