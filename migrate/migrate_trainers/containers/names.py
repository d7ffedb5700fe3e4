"""The names of a piece of Python: what it binds, and what other pieces have to bind for it."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.reading import legacy

if TYPE_CHECKING:
    from collections.abc import Iterator

LEGACY_NAMES = frozenset(name.rpartition(".")[2] for name in (*legacy.TRAINERS, *legacy.BUILDERS, *legacy.READERS))


@dataclass(frozen=True)
class Names:
    """The names that a text binds anywhere, and where it first reads each that it doesn't (line, column from 1)."""

    bound: frozenset[str]
    places: dict[str, tuple[int, int]]

    @property
    def needed(self) -> frozenset[str]:
        return frozenset(self.places)


def names_of(text: str) -> Names | None:
    """The names of a text; None if this Python can't parse it."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    bound = frozenset(_bound(tree))
    known = bound | set(dir(builtins))
    read = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in known]
    read.sort(key=lambda node: (node.lineno, node.col_offset), reverse=True)
    return Names(bound, {node.id: (node.lineno, node.col_offset + 1) for node in read})


def _bound(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
