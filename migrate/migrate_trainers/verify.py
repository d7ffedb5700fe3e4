"""The self-check: a rewritten source is examined before anybody sees it."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.cells import PLACEHOLDER, landmarks
from migrate_trainers.reading.program import Program
from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.reading.source import Source
from migrate_trainers.reading.syntax import is_python
from migrate_trainers.rules import legacy_uses

if TYPE_CHECKING:
    from migrate_trainers.reading.source import Edit


def applied(before: Program, edits: list[Edit]) -> tuple[bytes, str | None]:
    """The bytes that edits make of a program, and what is wrong with them, if anything is."""
    try:
        after = before.source.apply(edits)
        return after, check(before, edits, after)
    except (ValueError, UnicodeEncodeError, RecursionError) as error:
        return before.source.data, str(error)


def check(before: Program, edits: list[Edit], after: bytes) -> str | None:
    """What is wrong with the bytes that edits have made, or None: they parse, and all names in them resolve."""
    source = Source.decode(after)
    try:
        program = before.edited(edits)
        if program.source.buffer != source.buffer:
            program = Program(source)
    except cst.ParserSyntaxError as error:
        return f"the output does not parse: {error.message}"
    if is_python(before.source.text) and not is_python(source.text):
        return "the output does not compile"
    if landmarks(Source.decode(before.source.data).text) != landmarks(source.text):
        return "the output's cells are not those of the input"
    if any(True for find in (legacy_uses.references, legacy_uses.reader_references) for _ in find(program)):
        return "a legacy name is left"
    new_names = program.unresolved_names() - before.unresolved_names() - set(dir(builtins))
    if new_names:
        return f"the output reads unknown names: {', '.join(sorted(new_names))}"
    early = _read_before_import(program) - _read_before_import(before)
    if early:
        return f"the output reads names above their import: {', '.join(sorted(early))}"
    return None


def _read_before_import(program: Program) -> set[str]:
    """The names that the module reads as it runs, and imports below only."""
    found = set()
    for name in program.names:
        start = program.span(name)[0]
        bindings = program.bindings(name)
        is_below = all(one.kind is BindingKind.IMPORT and program.span(one.node)[0] > start for one in bindings)
        if bindings and is_below and program.enclosing(name, (cst.FunctionDef, cst.Lambda)) is None:
            # What a magic line may read, it may as well not: `%pip install ray`.
            found |= set() if _is_in_magic(program, name) else {name.value}
    return found


def _is_in_magic(program: Program, name: cst.Name) -> bool:
    call = program.enclosing(name, cst.Call)
    return call is not None and PLACEHOLDER.fullmatch(program.text(call)) is not None
