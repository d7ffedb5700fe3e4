"""Putting statements into a block, and taking them out, with the blank lines that a formatter would want."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.source import Edit

if TYPE_CHECKING:
    from migrate_trainers.program import Program, Statement


def leading_comments_start(program: Program, statement: Statement) -> int:
    """Offset of the first of the comment lines that stand directly above a statement, or of its own line."""
    source = program.source
    start = source.line_start(program.statement_start(statement))
    while start > 0:
        above = source.line_start(start - 1)
        if not source.slice(above, start).lstrip().startswith("#"):
            break
        start = above
    return start


def definition(program: Program, statement: Statement, text: str, *, replace: bool) -> list[Edit]:
    """Edits that put a definition (without indentation in its first line) before a statement, or in its place.

    Comments above a replaced statement stay above the definition; those above a statement that stays are its own.
    """
    source = program.source
    indent = program.indent(statement)
    blank = "\n" * (1 if indent else 2)
    top = leading_comments_start(program, statement)
    own_line = source.line_start(program.statement_start(statement))
    edits: list[Edit] = []
    above = _missing_blank_lines(program, top, len(blank))
    if replace:
        end = source.line_end(program.span(statement)[1])
        below = _blank_lines_below(program, statement, end, len(blank))
        tail = "\n" if source.buffer[:end].endswith((b"\n", b"\r")) or below else ""
        if top == own_line:
            edits.append(Edit(own_line, end, f"{above}{indent}{text}{tail}{below}"))
        else:
            edits += [Edit(top, top, above)] if above else []
            edits.append(Edit(own_line, end, f"{indent}{text}{tail}{below}"))
    else:
        edits.append(Edit(top, top, f"{above}{indent}{text}\n{blank}"))
    return edits


def removal(program: Program, statement: Statement, replacement: list[str]) -> Edit:
    """The edit that replaces a statement, its leading and trailing comments included, by other statements' lines."""
    source = program.source
    indent = program.indent(statement)
    start = leading_comments_start(program, statement)
    end = source.line_end(program.span(statement)[1])
    if replacement:
        return Edit(start, end, "".join(f"{indent}{line}\n" for line in replacement))
    block = program.block(statement)
    first = isinstance(block, cst.IndentedBlock) and block.body[0] is statement
    if _is_blank_line(program, start - 1) or first or start == 0:
        while end < len(source.buffer) and not source.slice(end, source.line_end(end)).strip():
            end = source.line_end(end)
    return Edit(start, end, "")


def _missing_blank_lines(program: Program, offset: int, wanted: int) -> str:
    """The blank lines that lack above an offset at the start of a line; none below a block's header."""
    source = program.source
    count = 0
    start = offset
    while start > 0:
        above = source.line_start(start - 1)
        line = source.slice(above, start)
        if line.strip():
            return "" if line.split("#")[0].rstrip().endswith(":") else "\n" * max(wanted - count, 0)
        count += 1
        start = above
    return ""


def _blank_lines_below(program: Program, statement: Statement, end: int, wanted: int) -> str:
    block = program.block(statement)
    assert isinstance(block, cst.Module | cst.IndentedBlock)
    if block.body[-1] is statement:
        return ""
    source = program.source
    count = 0
    while end < len(source.buffer):
        following = source.line_end(end)
        if source.slice(end, following).strip():
            break
        count += 1
        end = following
    return "\n" * max(wanted - count, 0)


def _is_blank_line(program: Program, offset: int) -> bool:
    """Whether the line that ends at an offset is blank."""
    source = program.source
    return offset >= 0 and not source.slice(source.line_start(offset), offset).strip()
