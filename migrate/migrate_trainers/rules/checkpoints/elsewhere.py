"""Whether the checkpoints that a program reads are made of dictionaries in other files of its tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import own_returns
from migrate_trainers.rules.checkpoints.reported import made_dictionaries, read_reports
from migrate_trainers.rules.literals import is_none
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.checkpoints.reported import Report

_FUNCTION = "train_loop_per_worker"


def reports_dictionaries(program: Program, others: list[Report]) -> bool:
    """Whether functions of other files make the checkpoints of a program's reports, or report them, as dictionaries.

    `others` are the reports of the program itself whose checkpoints it doesn't make.
    """
    if others:
        return all(_is_made_elsewhere(program, report.argument.value) for report in others)
    loops = [found for call in program.calls for found in _train_functions(program, call)]
    return bool(loops) and all(_reports_only_dictionaries(other) for other in loops)


def _is_made_elsewhere(program: Program, value: cst.BaseExpression) -> bool:
    if isinstance(value, cst.Name):
        assigned = program.assigned_value(value)
        return assigned is not None and _is_made_elsewhere(program, assigned)
    if not isinstance(value, cst.Call):
        return False
    found = list(program.definitions(value.func))
    return bool(found) and all(_gives_dictionary(other, binding.node) for other, binding in found)


def _gives_dictionary(program: Program, function: cst.CSTNode) -> bool:
    """Whether all that a function gives are checkpoints made of dictionaries."""
    if not isinstance(function, cst.FunctionDef):
        return False
    made = made_dictionaries(program)
    values = [one.value for one in own_returns(function.body) if one.value is not None and not is_none(one.value)]
    return bool(values) and all(value in made for value in values)


def _train_functions(program: Program, call: cst.Call) -> Iterator[Program]:
    """The files that define the train function of the trainer that a call makes, if they are others."""
    if program.qualified_name(call.func) in legacy.TRAINERS.keys() | legacy.TORCH_TRAINERS:
        given = (bound_arguments(call, (_FUNCTION,)) or {}).get(_FUNCTION)
        for other, _ in program.definitions(given.value) if given is not None else ():
            if other is not program:
                yield other


def _reports_only_dictionaries(program: Program) -> bool:
    reported = read_reports(program, made_dictionaries(program))
    return reported is not None and bool(reported.reports) and not reported.others
