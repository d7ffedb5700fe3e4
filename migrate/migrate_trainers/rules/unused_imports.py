"""Imports that only code needs which goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import Rewrite


def remove_imports_of(rewrite: Rewrite, gone: cst.CSTNode) -> None:
    """Remove the imports of what nothing reads but a node that goes."""
    program = rewrite.program
    for name in program.names:
        if not program.contains(gone, name):
            continue
        for binding in program.bindings(name):
            is_unused = all(program.contains(gone, use) for use in program.uses(binding))
            if isinstance(binding.node, cst.ImportAlias) and is_unused:
                rewrite.imports.remove(binding.node)
