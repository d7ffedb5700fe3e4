"""Whether a script looks into the folder of a checkpoint itself, and so depends on where the files are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.rules.checkpoints.held import Holdings
from migrate_trainers.rules.checkpoints.removed import is_checkpoint

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.checkpoints.families import Family

_CONTENTS = frozenset({"as_directory", "path", "to_directory", "uri"})


def opens_checkpoints(program: Program, family: Family) -> bool:
    """Whether a script opens checkpoints of a trainer, or gives one to code of another file, which may."""
    held = Holdings(program, family)
    for node in program.attributes:
        is_of_one = is_checkpoint(program, node.value) or held.is_checkpoint(node.value)
        if node.attr.value in _CONTENTS and is_of_one and not _is_argument_of(program, node, family.checkpoints):
            return True
    return any(
        held.is_checkpoint(argument.value)
        for call in program.calls
        if not _is_known(program, call.func)
        for argument in call.args
    )


def _is_argument_of(program: Program, node: cst.CSTNode, functions: frozenset[str]) -> bool:
    argument = program.parent(node)
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    return isinstance(call, cst.Call) and program.qualified_name(call.func) in functions


def _is_known(program: Program, function: cst.BaseExpression) -> bool:
    """Whether a function is Ray's or the file's own, whose code other rules see."""
    qualified = program.qualified_name(function)
    return qualified is None or qualified.partition(".")[0] == "ray"
