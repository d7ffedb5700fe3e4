"""The report as a comment on a pull request: a summary, and by file the findings and the diff."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.findings import Kind
from migrate_trainers.reporting.as_text import summary_line
from migrate_trainers.reporting.diffs import hunks, split_lines
from migrate_trainers.reporting.phrases import counted
from migrate_trainers.reporting.places import shown
from migrate_trainers.reporting.sections import sections

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from migrate_trainers.findings import FileResult, Finding
    from migrate_trainers.reporting.report import Report

# GitHub takes no longer comments. Bytes are counted, of which no character has less than one.
LIMIT = 65_536
_SYMBOLS = {Kind.MIGRATED: "✅", Kind.REVIEW: "👀", Kind.MANUAL: "✋", Kind.ERROR: "❌"}
_LABELS = {Kind.MIGRATED: "migrated", Kind.REVIEW: "to review", Kind.MANUAL: "left to you", Kind.ERROR: "error"}
_CODE = re.compile(r"`[^`\n]+`")
# What would be markup, a mention or a reference outside of code.
_MARKUP = re.compile(r"[\\`*_<>\[\]#|~&]")


@dataclass
class _Part:
    """A piece of the comment: what is always said of a file, and its diff, which may be left out."""

    text: str
    diff: str = ""
    instead: str = ""


def render(report: Report) -> bytes:
    head = "## Migration of Ray Train's removed trainers\n\n" + _summary(report)
    explained: set[str] = set()
    told = ((path, result) for path, result in report.results.items() if result.changed or result.findings)
    return _fitted(head, [_part(path, result, explained) for path, result in told]).encode()


def _summary(report: Report) -> str:
    summary = report.summary
    text = f"{_escaped(summary_line(report))}\n"
    counts = {
        f"{_SYMBOLS[Kind.MIGRATED]} migrated": f"{summary.migrated} of {summary.call_sites}",
        f"{_SYMBOLS[Kind.REVIEW]} to review": str(summary.review),
        f"{_SYMBOLS[Kind.MANUAL]} left to you": str(summary.manual),
        f"{_SYMBOLS[Kind.ERROR]} errors": str(summary.errors),
    }
    if not report.results:
        return text
    return f"{text}\n| {' | '.join(counts)} |\n|{'---:|' * len(counts)}\n| {' | '.join(counts.values())} |\n"


def _part(path: Path, result: FileResult, explained: set[str]) -> _Part:
    title = _code(shown(path))
    text = f"\n### {title}\n\n"
    for finding in result.findings:
        text += _finding(finding, explains=finding.code not in explained)
        explained.add(finding.code)
    diff = "".join(_diff_lines(path, result))
    if not diff:
        return _Part(text)
    lines = split_lines(diff)
    size = f"+{sum(line[0] == '+' for line in lines)} −{sum(line[0] == '-' for line in lines)}"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", diff)), default=0))
    name = html.escape(shown(path))
    block = f"\n<details><summary>Diff of {name} ({size})</summary>\n\n{fence}diff\n{diff}{fence}\n\n</details>\n"
    return _Part(text, block, f"\n_The diff ({size}) is left out: the comment would be too long._\n")


def _diff_lines(path: Path, result: FileResult) -> Iterator[str]:
    for section in sections(path, result):
        if section.changed and section.title:
            yield f"@@ {section.title} @@\n"
        yield from hunks(section.before, section.after)


def _finding(finding: Finding, *, explains: bool) -> str:
    """A finding as an item of a list; why and what to do is said once for a code."""
    cell = f"cell {finding.cell}, " if finding.cell is not None else ""
    label = f"**{finding.code}** {_LABELS[finding.kind]}"
    item = f"- {_SYMBOLS[finding.kind]} {label}, {cell}line {finding.line}: {_escaped(finding.message)}"
    if explains:
        why = CATALOGUE[finding.code].why
        item += f"  \n  {_escaped(why)}  \n  **What to do:** {_escaped(finding.help)}"
    return f"{item}\n"


def _fitted(head: str, parts: list[_Part]) -> str:
    """The comment without its longest diffs, and at worst without its last files, as far as the limit asks for it."""
    for part in sorted(parts, key=lambda part: len(part.diff), reverse=True):
        if _size(head, *(piece for part in parts for piece in (part.text, part.diff))) <= LIMIT:
            break
        if part.diff:
            part.diff = part.instead
    pieces = [part.text + part.diff for part in parts]
    left = 0
    while pieces and _size(head, *pieces, _tail(left)) > LIMIT:
        pieces.pop()
        left += 1
    return "".join([head, *pieces, _tail(left)])


def _tail(files: int) -> str:
    return f"\n_{counted(files, 'more file')} left out: the comment would be too long._\n" if files else ""


def _size(*texts: str) -> int:
    return sum(len(text.encode()) for text in texts)


def _code(text: str) -> str:
    """A code span of any one line of text."""
    text = re.sub(r"\s", " ", text)
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"


def _escaped(message: str) -> str:
    """A message on one line, of which only what it has in backticks is markup."""
    message = " ".join(message.split())
    parts, done = [], 0
    for code in _CODE.finditer(message):
        parts += [_plain(message[done : code.start()]), code[0]]
        done = code.end()
    return "".join([*parts, _plain(message[done:])])


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", text).replace("@", "@\u200b")
