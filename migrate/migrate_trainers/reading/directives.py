"""Comments that speak to the tool: `# migrate-trainers: skip` for a statement, `# migrate-trainers: skip-file`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program, Statement

_DIRECTIVE = re.compile(r"#\s*migrate-trainers\s*:\s*(?P<what>\S*)")
_SKIP_FILE_LINE = re.compile(r"(?m)^[ \t]*#\s*migrate-trainers\s*:\s*skip-file\b")
_SKIP, _SKIP_FILE = "skip", "skip-file"


def may_skip_file(text: str) -> bool:
    """Whether a line of a text that isn't Python looks like such a comment."""
    return _SKIP_FILE_LINE.search(text) is not None


def skips_file(program: Program) -> bool:
    """Whether a comment keeps the tool from the whole file."""
    return any(what == _SKIP_FILE for _, what in _directives(program))


def skipped_statements(program: Program) -> list[Statement]:
    """The statements with a line on which a comment keeps the tool from them."""
    return [
        statement
        for comment, what in _directives(program)
        if what == _SKIP and (statement := _statement_beside(program, comment)) is not None
    ]


def changed_although_skipped(program: Program, after: str) -> Statement | None:
    """A skipped statement whose text is no longer in the text after the migration."""
    before = program.source.text
    for statement in skipped_statements(program):
        text = program.source.slice(*_own_lines(program, statement))
        if after.count(text) < before.count(text):
            return statement
    return None


def misunderstood(program: Program) -> Iterator[tuple[cst.Comment, str]]:
    """The comments that speak to the tool and say nothing that it knows, each with what is wrong."""
    for comment, what in _directives(program):
        if what not in (_SKIP, _SKIP_FILE):
            yield comment, f"`{what}` is no instruction"
        elif what == _SKIP and _statement_beside(program, comment) is None:
            yield comment, "it stands on no line of a statement"


def _directives(program: Program) -> Iterator[tuple[cst.Comment, str]]:
    for comment in program.comments:
        found = _DIRECTIVE.search(comment.value)
        if found is not None:
            yield comment, found["what"]


def _statement_beside(program: Program, comment: cst.Comment) -> Statement | None:
    """The innermost statement that has a line of its own on which a comment stands."""
    place = program.span(comment)[0]
    for above in program.ancestors(comment):
        if isinstance(above, cst.SimpleStatementLine | cst.BaseCompoundStatement):
            first, last = _own_lines(program, above)
            if first <= place < last:
                return above
    return None


def _own_lines(program: Program, statement: Statement) -> tuple[int, int]:
    """Where a statement's lines start and end, without those of its block."""
    start = program.statement_start(statement)
    end = program.span(statement)[1]
    if isinstance(statement, cst.BaseCompoundStatement) and not isinstance(statement, cst.Match):
        end = program.span(statement.body)[0]
    elif isinstance(statement, cst.Match):
        end = program.span(statement.subject)[1]
    return program.source.line_start(start), program.source.line_end(max(start, end - 1))
