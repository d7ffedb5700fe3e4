"""Imports of one legacy class under its old or its new name, whichever the installed Ray has.

try:                                                              from ray.train.huggingface import TransformersTrainer
    from ray.train.huggingface import TransformersTrainer
except ImportError:
    from ray.train.huggingface import HuggingFaceTrainer as TransformersTrainer

The first stands for all: what it imports is migrated, and current Ray has neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import dotted_name
from migrate_trainers.reading.source import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program

_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception"})
_CLASSES = legacy.TRAINERS.keys() | legacy.BUILDERS | legacy.READERS


def without_guards(program: Program) -> Program:
    """The program with each `try` that only chooses between names of one legacy class replaced by its first import."""
    edits = [_unguarded(program, guard) for guard in _guards(program)]
    return program.edited(edits) if edits else program


def _guards(program: Program) -> Iterator[cst.Try]:
    seen: set[cst.CSTNode] = set()
    for statement in program.imports:
        guard = program.enclosing(statement, cst.Try)
        if guard is not None and guard not in seen:
            seen.add(guard)
            if _is_choice(program, guard):
                yield guard


def _is_choice(program: Program, guard: cst.Try) -> bool:
    """Whether all that a `try` does is to import the same legacy classes, by names that mean the same."""
    if guard.orelse is not None or guard.finalbody is not None:
        return False
    if not all(_catches_import_errors(program, handler) for handler in guard.handlers):
        return False
    choices = [_imported(block) for block in (guard.body, *(handler.body for handler in guard.handlers))]
    return bool(choices[0]) and all(choice == choices[0] for choice in choices)


def _catches_import_errors(program: Program, handler: cst.ExceptHandler) -> bool:
    kinds = (
        [element.value for element in handler.type.elements] if isinstance(handler.type, cst.Tuple) else [handler.type]
    )
    return handler.name is None and all(
        kind is None or any(program.is_builtin(kind, name) for name in _ERRORS) for kind in kinds
    )


def _imported(block: cst.BaseSuite) -> dict[str, str] | None:
    """What each name that a block imports stands for, None where the block does more than to import legacy classes."""
    imported: dict[str, str] = {}
    for line in block.body:
        if not isinstance(line, cst.SimpleStatementLine):
            return None
        for statement in line.body:
            if not isinstance(statement, cst.ImportFrom) or isinstance(statement.names, cst.ImportStar):
                return None
            for alias in statement.names:
                qualified = f"{dotted_name(statement.module)}.{dotted_name(alias.name)}"
                if statement.relative or qualified not in _CLASSES:
                    return None
                own = alias.evaluated_alias or alias.evaluated_name
                # The old name's classes are the new one's.
                imported[own] = dotted_name(alias.name).replace("HuggingFace", "Transformers")
    return imported


def _unguarded(program: Program, guard: cst.Try) -> Edit:
    """The edit that leaves the lines of a `try`'s body, behind the comments of the rest."""
    source, indent = program.source, program.indent(guard)
    first, last, final = guard.body.body[0], guard.body.body[-1], guard.handlers[-1].body.body[-1]
    start, end = program.span(guard)[0], source.line_end(program.span(final)[1])
    body, rest = program.span(first)[0], source.line_end(program.span(last)[1])
    above = [*program.comments_in(start, body), *program.comments_in(rest, end)]
    lines = source.slice(body, rest).replace(f"\n{program.indent(first)}", f"\n{indent}").rstrip("\r\n")
    return Edit(start, end, f"\n{indent}".join([*above, lines]) + "\n")
