"""The classes of the strategies that the file names, imported where its code can read them."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import dotted_name
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.strategy import strategy_class, unpacked_strategy

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from migrate_trainers.rules.lightning.tracing.texts import Texts
    from migrate_trainers.rules.rewrite import Rewrite


class Strategies:
    """Writes the class of a strategy. A name that is no literal stands in the new code as `texts` has it."""

    def __init__(self, rewrite: Rewrite, texts: Texts) -> None:
        self._rewrite = rewrite
        self._program = rewrite.program
        self._texts = texts

    def class_for(self, name: cst.BaseExpression | None, place: cst.CSTNode, indent: str) -> str:
        """The class for a strategy's name, imported where code at a place can read it."""
        text = self._texts.of(name, "") if name is not None else ""
        with self._imports_at(place):
            return strategy_class(self._rewrite, name, text, indent)

    def unpacked(self, dictionary: str, place: cst.CSTNode, indent: str) -> str:
        """The class for a strategy whose name may be among unpacked keywords."""
        with self._imports_at(place):
            return unpacked_strategy(self._rewrite, dictionary, indent)

    def _imports_at(self, place: cst.CSTNode) -> AbstractContextManager[None]:
        """Lets what is imported for code at a place be imported where that code can read it."""
        if self._program.contains(self._rewrite.imports.block, place):
            return nullcontext()
        for statement in self._program.imports:
            block = self._program.block(self._program.statement(statement))
            if _imports_builder(statement) and self._program.contains(block, place):
                return self._rewrite.imports.standing_at(statement)
        raise Refusal("MT101", place, "the names that it needs are imported in another function")


def _imports_builder(statement: cst.Import | cst.ImportFrom) -> bool:
    if not isinstance(statement, cst.ImportFrom) or isinstance(statement.names, cst.ImportStar):
        return False
    module = dotted_name(statement.module)
    return any(f"{module}.{dotted_name(alias.name)}" in legacy.BUILDERS for alias in statement.names)
