"""Which expressions of the driver a trial can evaluate as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.rules.configs import config_class

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program, Statement


def is_settled(program: Program, value: cst.BaseExpression, statement: Statement) -> bool:
    """Whether an expression of a statement gives the same later: a configuration of plain values does."""
    if isinstance(value, cst.Call) and (
        config_class(program, value) is not None or program.qualified_name(value.func) in legacy.TORCH_CONFIGS
    ):
        return all(not argument.star and is_settled(program, argument.value, statement) for argument in value.args)
    return ValueAnalysis(program, statement).is_movable(value)
