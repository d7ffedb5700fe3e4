"""Putting statements into a block, and taking them out, with the blank lines that a formatter would want."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.cells import crosses_boundary, is_boundary
from migrate_trainers.reading.source import Edit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from migrate_trainers.reading.program import Program, Statement


def leading_comments_start(program: Program, statement: Statement) -> int:
    """Offset of the first of the comment lines that stand directly above a statement, or of its own line."""
    source = program.source
    start = source.line_start(program.statement_start(statement))
    while start > 0:
        above = source.line_start(start - 1)
        line = source.slice(above, start)
        if not line.lstrip().startswith("#") or is_boundary(line):
            break
        start = above
    return start


def definition(
    program: Program,
    statement: Statement,
    definitions: list[str],
    *,
    lines: Sequence[str] = (),
    run: Sequence[Statement] = (),
    earlier: Sequence[str] = (),
) -> list[Edit]:
    """Edits that put statements (`lines`) and definitions before a statement, or in place of a `run` of statements.

    The texts come without indentation in their first line. A run's last statement is `statement`. Comments above what
    is replaced stay above what replaces it, but behind `earlier` definitions; comments above a statement that stays are
    its own.
    """
    source = program.source
    indent = program.indent(statement)
    wanted = 1 if indent else 2
    blank = "\n" * wanted
    first = run[0] if run else statement
    top = leading_comments_start(program, first)
    own_line = source.line_start(program.statement_start(first))
    above = "" if lines else missing_blank_lines(program, top, wanted)
    plain = "".join(f"{indent}{line}\n" for line in lines)
    texts = f"\n{blank}{indent}".join(definitions)
    text = f"{plain}{blank if lines else ''}{indent}{texts}"
    if not run:
        return [Edit(top, top, f"{above}{text}\n{blank}")]
    end = source.line_end(program.span(statement)[1])
    below = _blank_lines_below(program, statement, end, wanted)
    tail = "\n" if source.buffer[:end].endswith((b"\n", b"\r")) or below else ""
    if earlier:
        before = f"\n{blank}{indent}".join(earlier)
        text = f"{indent}{texts}"
        return [
            Edit(top, top, f"{above}{plain}{blank if lines else ''}{indent}{before}\n{blank}"),
            Edit(own_line, end, f"{text}{tail}{below}"),
        ]
    if top == own_line:
        return [Edit(own_line, end, f"{above}{text}{tail}{below}")]
    return [Edit(top, top, above), Edit(own_line, end, f"{text}{tail}{below}")]


def at_top(program: Program, function: cst.FunctionDef, lines: Sequence[str]) -> Edit:
    """The edit that puts statements first in a function's block, behind its docstring. Their lines come unindented."""
    statements = list(function.body.body)
    first = statements[0]
    is_docstring = (
        isinstance(first, cst.SimpleStatementLine)
        and isinstance(first.body[0], cst.Expr)
        and isinstance(first.body[0].value, cst.SimpleString | cst.ConcatenatedString)
    )
    if is_docstring and len(statements) == 1:
        assert isinstance(first, cst.SimpleStatementLine)
        return below(program, first, f"\n{program.indent(first)}".join(lines))
    place = statements[1] if is_docstring else first
    assert isinstance(place, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    start = leading_comments_start(program, place)
    return Edit(start, start, "".join(f"{program.indent(place)}{line}\n" for line in lines))


def below(program: Program, statement: Statement, text: str) -> Edit:
    """The edit that puts another statement on the line below one; its first line comes unindented."""
    line_end = program.source.line_end(program.span(statement)[1])
    # In front of the line end: what moves the statement takes it along, what moves the next one doesn't.
    end = line_end - 1 if program.source.buffer[:line_end].endswith(b"\n") else line_end
    end -= program.source.buffer[:end].endswith(b"\r")
    return Edit(end, end, f"\n{program.indent(statement)}{text}")


def preceding_run(program: Program, statement: Statement, among: Collection[Statement]) -> list[Statement]:
    """The statements of a collection that directly precede a statement in its block and cell, and the statement."""
    block = program.block(statement)
    assert isinstance(block, cst.Module | cst.IndentedBlock)
    index = list(block.body).index(statement)
    first = index
    while first > 0 and block.body[first - 1] in among:
        end, start = program.span(block.body[first - 1])[1], program.span(block.body[first])[0]
        if crosses_boundary(program.source, end, start):
            break
        first -= 1
    return list(block.body[first : index + 1])  # type: ignore[arg-type]


def removal(program: Program, statement: Statement, replacement: list[str]) -> Edit:
    """The edit that replaces a statement, its leading and trailing comments included, by other statements' lines."""
    source = program.source
    indent = program.indent(statement)
    start = leading_comments_start(program, statement)
    end = source.line_end(program.span(statement)[1])
    if replacement:
        return Edit(start, end, "".join(f"{indent}{line}\n" for line in replacement))
    # Of the blank lines above and below, the greater number stays.
    spare = len(source.buffer) if _opens_block(program, statement) else _blank_lines_above(program, start)
    while spare and end < len(source.buffer) and not source.slice(end, source.line_end(end)).strip():
        end = source.line_end(end)
        spare -= 1
    return Edit(start, end, "")


def comments_of(program: Program, statement: Statement) -> list[str]:
    """The comments above a statement, in it, and behind it on its last line."""
    end = program.source.line_end(program.span(statement)[1])
    return program.comments_in(leading_comments_start(program, statement), end)


def without_spare_lines(program: Program, edits: Sequence[Edit]) -> list[Edit]:
    """The edits, but where statements that follow each other go, the blank lines above them or below them go, too."""
    source = program.source
    joined: list[Edit] = []
    first: dict[int, int] = {}  # where each run of removals starts, by its end
    for edit, following in zip_longest(edits, edits[1:]):
        start = first.pop(edit.start, None) if not edit.text else None
        if start is not None:
            end, spare = edit.end, _blank_lines_above(program, start)
            limit = len(source.buffer) if following is None else following.start
            while spare and end < limit and not source.slice(end, source.line_end(end)).strip():
                end = source.line_end(end)
                spare -= 1
            edit = Edit(edit.start, end, "")
        if not edit.text and edit.start == source.line_start(edit.start) < edit.end:
            first[edit.end] = edit.start if start is None else start
        joined.append(edit)
    return joined


def _opens_block(program: Program, statement: Statement) -> bool:
    block = program.block(statement)
    assert isinstance(block, cst.Module | cst.IndentedBlock)
    return block.body[0] is statement


def _blank_lines_above(program: Program, offset: int) -> int:
    source = program.source
    count = 0
    while offset > 0 and not source.slice(source.line_start(offset - 1), offset).strip():
        offset = source.line_start(offset - 1)
        count += 1
    return count


def missing_blank_lines(program: Program, offset: int, wanted: int) -> str:
    """The blank lines that lack above an offset at a line's start; none below a block's header, or in a new cell."""
    source = program.source
    count = _blank_lines_above(program, offset)
    start = offset
    for _ in range(count):
        start = source.line_start(start - 1)
    if start == 0:
        return ""
    line = source.slice(source.line_start(start - 1), start)
    if is_boundary(line) or line.split("#")[0].rstrip().endswith(":"):
        return ""
    return "\n" * max(wanted - count, 0)


def _blank_lines_below(program: Program, statement: Statement, end: int, wanted: int) -> str:
    block = program.block(statement)
    assert isinstance(block, cst.Module | cst.IndentedBlock)
    if block.body[-1] is statement:
        return ""
    source = program.source
    count = 0
    while end < len(source.buffer):
        following = source.line_end(end)
        line = source.slice(end, following)
        if is_boundary(line):
            return ""
        if line.strip():
            break
        count += 1
        end = following
    return "\n" * max(wanted - count, 0)
