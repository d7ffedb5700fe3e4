"""`Accelerator(...)` and `PartialState()` calls in a worker, which settle the device that it computes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.rules.accelerate.accelerator import POSITIONAL, accelerator_calls, state_calls
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite


def asked_for_ranks(program: Program) -> list[cst.Call]:
    """The calls of a program that make what only a worker knows: its rank, its device."""
    return [*accelerator_calls(program, program.modules), *state_calls(program, program.modules)]


def tell_device(rewrite: Rewrite, call: cst.Call) -> None:
    """Without `cpu=True`, workers on CPUs don't share the data: each trains on all of it."""
    program, adoption = rewrite.program, rewrite.settings.adoption
    assert adoption is not None
    given = bound_arguments(call, POSITIONAL)
    argument = given.get("cpu") if given is not None else None
    text = program.text(argument.value) if argument is not None else "False"
    if adoption.use_gpu:
        if text == "True":
            rewrite.review("MT628", argument or call.func, "")
    elif given is None or (argument is not None and isinstance(argument.value, cst.Call)):
        os = rewrite.imports.module("os")
        statement = program.statement(call)
        start = program.source.line_start(program.span(statement)[0])
        line = f'{program.indent(statement)}{os}.environ["ACCELERATE_USE_CPU"] = "true"\n'
        rewrite.edits.append(Edit(start, start, line))
    elif argument is None:
        rewrite.arguments_of(call).append(lambda _: "cpu=True")
    elif text != "True":
        rewrite.arguments_of(call).replace(argument, "cpu=True" if argument.keyword is not None else "True")
