"""Checkpoints that are dictionaries: AccelerateTrainer's train functions reported and read them.

    session.report(metrics, checkpoint=Checkpoint.from_dict(state))      report_dictionary(metrics, state)
    session.get_checkpoint().to_dict()                                   load_dictionary(ray.train.get_checkpoint())

Current Ray's checkpoints are folders: two functions of the file write the dictionary into one, and read it from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.rules.checkpoints.families import ACCELERATE, families_in
from migrate_trainers.rules.checkpoints.opening import write_call
from migrate_trainers.rules.checkpoints.removed import is_checkpoint, is_made_by
from migrate_trainers.rules.literals import is_none
from migrate_trainers.writing import templates
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.checkpoints.readers import Readers


def migrate_dictionaries(readers: Readers) -> None:
    """Rewrite the dictionaries of a program whose reports have no other checkpoints; others are left."""
    program = readers.program
    if families_in(program) != [ACCELERATE]:
        return
    reported = _reported(program)
    if not reported:
        return
    given = [argument for _, argument in reported]
    made = {call for argument in given for call in _made(program, argument.value)}
    readers.rewrite.review("MT430", reported[0][0], "")
    for report, argument in reported:
        readers.edit(report, Edit(*program.outer_span(report.func), _reporter(readers, report)))
        _give_dictionary(readers, argument)
    for call in made:
        readers.explained.add(call.func)
        if program.parent(call) not in given:
            readers.edit(call, Edit(*program.span(call), readers.rewrite.text_of(_dictionary(call))))
    for call in program.calls:
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == "to_dict" and not call.args:
            owner = call.func.value
            if readers.held.is_checkpoint(owner) or is_checkpoint(program, owner):
                readers.explained.add(call.func)
                write_call(readers, call, _loader(readers, call))


def _reported(program: Program) -> list[tuple[cst.Call, cst.Arg]]:
    """The reports with their checkpoints, if all of these are dictionaries."""
    reported = []
    for call in program.calls:
        if program.qualified_name(call.func) not in legacy.REPORTS:
            continue
        arguments = bound_arguments(call, ("metrics", "checkpoint"))
        if arguments is None:
            return []
        argument = arguments.get("checkpoint")
        if argument is None or is_none(argument.value):
            continue
        if not _made(program, argument.value):
            return []
        reported.append((call, argument))
    return reported


def _made(program: Program, given: cst.BaseExpression) -> list[cst.Call]:
    """The calls of `Checkpoint.from_dict` behind what a report is given, if there is nothing else behind it."""
    if isinstance(given, cst.Call):
        return [given] if is_made_by(program, given, "from_dict") and _has_dictionary(given) else []
    if isinstance(given, cst.IfExp):
        return _made_of_all(program, [given.body, given.orelse])
    if not isinstance(given, cst.Name):
        return []
    values = []
    for binding in program.bindings(given):
        if not isinstance(binding.node, cst.Assign | cst.AnnAssign) or binding.value is None:
            return []
        if not all(_is_reported(program, use) for use in program.uses(binding)):
            return []
        values.append(binding.value)
    return _made_of_all(program, values)


def _made_of_all(program: Program, values: Iterable[cst.BaseExpression]) -> list[cst.Call]:
    """The calls behind several values, of which each but None has to be made by some."""
    found = [_made(program, value) for value in values if not is_none(value)]
    return [call for calls in found for call in calls] if all(found) else []


def _is_reported(program: Program, use: cst.Name) -> bool:
    argument = program.parent(use)
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    return isinstance(call, cst.Call) and program.qualified_name(call.func) in legacy.REPORTS


def _has_dictionary(call: cst.Call) -> bool:
    return len(call.args) == 1 and not call.args[0].star


def _dictionary(call: cst.Call) -> cst.BaseExpression:
    return call.args[0].value


def _give_dictionary(readers: Readers, argument: cst.Arg) -> None:
    """Give the report the dictionary where it was given a checkpoint."""
    program = readers.program
    report = program.parent(argument)
    assert isinstance(report, cst.Call)
    keyword = "" if report.args[0].keyword is None else "data="
    start, end = program.span(argument)
    value = _dictionary(argument.value) if isinstance(argument.value, cst.Call) else argument.value
    value_start, value_end = program.outer_span(value)
    # What was said of the call is said of the dictionary.
    gone = [*program.comments_in(start, value_start), *program.comments_in(value_end, end)]
    comments = "".join(f"{comment}\n{program.source.indent_at(start)}" for comment in gone)
    readers.edit(report, Edit(start, value_start, comments + keyword))
    if value_end < end:
        readers.edit(report, Edit(value_end, end, ""))


def _reporter(readers: Readers, report: cst.Call) -> str:
    rewrite = readers.rewrite
    return readers.definition(
        "report_dictionary",
        report,
        lambda name: templates.REPORT_DICTIONARY.format(
            name=name,
            os=rewrite.imports.module("os"),
            tempfile=rewrite.imports.module("tempfile"),
            torch=rewrite.imports.module("torch"),
            get_context=rewrite.function_named("ray.train.get_context"),
            checkpoint_class=rewrite.class_named("ray.train.Checkpoint"),
            report=rewrite.function_named("ray.train.report"),
        ),
    )


def _loader(readers: Readers, call: cst.Call) -> str:
    imports = readers.rewrite.imports
    return readers.definition(
        "load_dictionary",
        call,
        lambda name: templates.LOAD_DICTIONARY.format(
            name=name, os=imports.module("os"), torch=imports.module("torch")
        ),
    )
