"""The expressions of a file that are written anew, with their new text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.writing.render import relocated

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.reading.program import Program


class Texts:
    """`parts` holds the new texts; what surrounds a part stays as it is."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.parts: dict[cst.CSTNode, str] = {}

    def of(self, node: cst.BaseExpression, indent: str) -> str:
        """An expression's new text."""
        return relocated(self._program, node, indent, self.parts)
