"""The self-check: a rewritten source is examined before anybody sees it."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.cells import landmarks
from migrate_trainers.reading.program import Program
from migrate_trainers.reading.source import Source
from migrate_trainers.rules import legacy_uses

if TYPE_CHECKING:
    from migrate_trainers.settings import Settings


def check(before: Program, after: bytes, settings: Settings) -> str | None:
    """What is wrong with the rewritten bytes, or None: they parse, hold no legacy name, and every name resolves."""
    source = Source.decode(after)
    try:
        program = Program(source)
    except cst.ParserSyntaxError as error:
        return f"the output does not parse: {error.message}"
    if compiles(before.source.text) and not compiles(source.text):
        return "the output does not compile"
    if landmarks(Source.decode(before.source.data).text) != landmarks(source.text):
        return "the output's cells are not those of the input"
    if any(True for find in (legacy_uses.references, legacy_uses.reader_references) for _ in find(program)):
        return "a legacy name is left"
    new_names = program.unresolved_names() - before.unresolved_names() - set(dir(builtins))
    if new_names:
        return f"the output reads unknown names: {', '.join(sorted(new_names))}"
    return None


def compiles(text: str) -> bool:
    """Whether this Python accepts a source; newer syntax than its own it does not."""
    try:
        compile(text, "<migrated>", "exec", flags=ast.PyCF_ONLY_AST)
    except (SyntaxError, ValueError):
        return False
    return True
