"""`Accelerator(...)` calls: what settings they can be given as arguments, and what is left for variables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.rules.accelerate.settings import KEYWORD_VARIABLES, AccelerateSettings
from migrate_trainers.rules.literals import is_none, string

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

_ACCELERATOR = frozenset({"accelerate.Accelerator", "accelerate.accelerator.Accelerator"})
# What settles a worker's device before there is an Accelerator.
_PARTIAL_STATE = frozenset({"accelerate.PartialState", "accelerate.state.PartialState"})
POSITIONAL = ("device_placement", "split_batches", "mixed_precision", "gradient_accumulation_steps", "cpu")
# An argument that says the same as a setting does.
_SAME = {"dynamo_backend": "dynamo_plugin"}


def accelerator_calls(program: Program, nodes: Sequence[cst.CSTNode]) -> list[cst.Call]:
    """The calls in some parts of a program that make an Accelerator."""
    return [
        call
        for call in program.calls
        if program.qualified_name(call.func) in _ACCELERATOR and any(program.contains(node, call) for node in nodes)
    ]


def compiles(program: Program) -> bool:
    """Whether any Accelerator of a program is told a backend of dynamo by its call."""
    return any(
        argument.keyword is not None and argument.keyword.value == "dynamo_backend"
        for call in accelerator_calls(program, program.modules)
        for argument in call.args
    )


def is_used_otherwise(program: Program) -> bool:
    """Whether the class is more than called: somebody derives from it, hands it on or gives it another name."""
    called = {call.func for call in program.calls}
    return any(
        node not in called and program.enclosing(node, cst.Annotation) is None
        for node in (*program.names, *program.attributes)
        if program.qualified_name(node) in _ACCELERATOR
    )


def state_calls(program: Program, nodes: Sequence[cst.CSTNode]) -> list[cst.Call]:
    """The calls in some parts of a program that settle the device before an Accelerator is made."""
    return [
        call
        for call in program.calls
        if program.qualified_name(call.func) in _PARTIAL_STATE
        and not call.args
        and any(program.contains(node, call) for node in nodes)
    ]


def give_device(rewrite: Rewrite, call: cst.Call, settings: AccelerateSettings) -> None:
    """Tell a call without arguments whether the worker computes on the CPU."""
    rewrite.arguments_of(call).append(_keyword("cpu", _cpu_text(rewrite, settings)))


def give_settings(rewrite: Rewrite, call: cst.Call, settings: AccelerateSettings) -> AccelerateSettings:
    """Add settings to the arguments of an `Accelerator` call; returns those that only variables can set.

    Arguments that are there count more, as they did; None counts as no argument.
    """
    if any(argument.star for argument in call.args):
        return settings
    given = {
        argument.keyword.value if argument.keyword is not None else POSITIONAL[index]: argument
        for index, argument in enumerate(call.args)
        if argument.keyword is not None or index < len(POSITIONAL)
    }
    left = {}
    for name, text in settings.keywords.items():
        argument = given.get(name)
        if argument is None and _SAME.get(name) in given:
            continue
        if argument is None:
            rewrite.arguments_of(call).append(_keyword(name, text))
        elif is_none(argument.value):
            rewrite.arguments_of(call).replace(argument, f"{name}={text}" if argument.keyword else text)
        elif string(argument.value) is None:
            left[name] = text
    is_told = settings.cpu is not False and _give_cpu(rewrite, call, given.get("cpu"), settings)
    return replace(settings, keywords=left, cpu=False if is_told else settings.cpu)


def _give_cpu(rewrite: Rewrite, call: cst.Call, given: cst.Arg | None, settings: AccelerateSettings) -> bool:
    """Add `cpu=`, if the call says nothing of it; returns whether it tells all now."""
    if given is None:
        rewrite.arguments_of(call).append(_keyword("cpu", _cpu_text(rewrite, settings)))
        return True
    if isinstance(given.value, cst.Name) and given.value.value == "False":
        text = _cpu_text(rewrite, settings)
        rewrite.arguments_of(call).replace(given, f"cpu={text}" if given.keyword else text)
        return True
    return isinstance(given.value, cst.Name) and given.value.value == "True"


def variables_for(rewrite: Rewrite, settings: AccelerateSettings) -> dict[str, str]:
    """Settings as environment variables, as texts of values."""
    variables = dict(settings.variables)
    for name, text in settings.keywords.items():
        variables[KEYWORD_VARIABLES[name]] = text.upper() if name == "dynamo_backend" else text
    if settings.cpu is not False:
        text = '"true"' if settings.cpu else f'"true" if {_cpu_text(rewrite, settings)} else "false"'
        variables[KEYWORD_VARIABLES["cpu"]] = text
    return variables


def _cpu_text(rewrite: Rewrite, settings: AccelerateSettings) -> str:
    """Whether a worker computes on the CPU, as code in it finds out."""
    if settings.cpu:
        return "True"
    # As text, because a worker with several GPUs has a list of devices on Ray before 2.40.
    return f'str({rewrite.class_named("ray.train.torch.get_device")}()) == "cpu"'


def _keyword(name: str, text: str) -> Callable[[str], str]:
    return lambda indent: f"{name}={text}"
