"""The text of statements that move to another place, with the edits made in them."""

from __future__ import annotations

import io
import tokenize
from typing import TYPE_CHECKING

from migrate_trainers.reading.cells import crosses_boundary
from migrate_trainers.writing.placement import leading_comments_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from migrate_trainers.adopting.lines import Line
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.source import Edit


def runs_of(program: Program, lines: Sequence[Line]) -> list[list[Statement]]:
    """Statements that follow each other directly, in one block and one cell."""
    runs: list[list[Statement]] = []
    for line in lines:
        if runs and _follows(program, runs[-1][-1], line.statement):
            runs[-1].append(line.statement)
        else:
            runs.append([line.statement])
    return runs


def _follows(program: Program, first: Statement, second: Statement) -> bool:
    block = program.block(first)
    if program.block(second) is not block:
        return False
    body = list(block.body)  # type: ignore[attr-defined]
    between = program.span(first)[1], program.span(second)[0]
    return body.index(second) == body.index(first) + 1 and not crosses_boundary(program.source, *between)


def region_of_run(program: Program, run: Sequence[Statement]) -> tuple[int, int]:
    """Where a run's lines start and end, with the comments above it."""
    end = program.source.line_end(program.span(run[-1])[1])
    return leading_comments_start(program, run[0]), end


def moved_text(program: Program, run: Sequence[Statement], edits: Iterable[Edit], indent: str) -> str:
    """The lines of a run at another indentation, with the edits made in them."""
    start, end = region_of_run(program, run)
    parts, done = [], start
    for edit in sorted((one for one in edits if start <= one.start and one.end <= end), key=lambda one: one.order):
        parts += [program.source.slice(done, edit.start), edit.text]
        done = edit.end
    text = "".join([*parts, program.source.slice(done, end)]).replace("\r\n", "\n")
    return reindented(text, program.indent(run[0]), indent).rstrip("\n") + "\n"


def reindented(text: str, old: str, new: str) -> str:
    """Lines of code at another indentation; those that start inside a string stay as they are."""
    inside = _lines_inside_strings(text, old)
    lines = []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if number in inside or not line.strip():
            lines.append(line)
        else:
            lines.append(new + line.removeprefix(old))
    return "".join(lines)


def _lines_inside_strings(text: str, indent: str) -> set[int]:
    head = "if True:\n" if indent else ""
    shift = head.count("\n")
    inside: set[int] = set()
    opened: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(head + text).readline):
        name = tokenize.tok_name[token.type]
        if name.endswith("STRING_START"):
            opened.append(token.start[0])
        elif name.endswith("STRING_END"):
            inside |= set(range(opened.pop() + 1, token.end[0] + 1))
        elif name == "STRING":
            inside |= set(range(token.start[0] + 1, token.end[0] + 1))
    return {number - shift for number in inside}
