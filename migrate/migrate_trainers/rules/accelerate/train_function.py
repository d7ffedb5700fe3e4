"""The train function of an AccelerateTrainer: it stays, and gets what `accelerate_config` set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.writing.placement import at_top
from migrate_trainers.writing.render import Argument, sequence

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.accelerate.settings import AccelerateSettings
    from migrate_trainers.rules.rewrite import CallSite, Rewrite

_ACCELERATOR = frozenset({"accelerate.Accelerator", "accelerate.accelerator.Accelerator"})


@dataclass(frozen=True)
class Wrapper:
    """A train function around the user's: its name and its definition, for where the trainer is made."""

    name: str
    definition: str


def carry_over(
    rewrite: Rewrite,
    site: CallSite,
    arguments: dict[str, cst.Arg],
    settings: AccelerateSettings,
    functions: set[cst.CSTNode],
) -> Wrapper | None:
    """Give the settings to the function's Accelerator, else set them at its top, else around a call of it.

    Returns the function around it, if there is to be one.
    """
    program = rewrite.program
    argument = arguments["train_loop_per_worker"]
    function = own_function(program, argument.value)
    if function is None:
        if settings.keywords or settings.variables or _default_config_parameter(program, argument.value) is not None:
            return _wrap(rewrite, site, arguments, settings)
        return None
    if function in functions:
        raise Refusal("MT303", argument, "several trainers share the function")
    functions.add(function)
    _require_parameter(rewrite, function)
    accelerators = [
        call
        for call in program.calls
        if program.qualified_name(call.func) in _ACCELERATOR and program.contains(function, call)
    ]
    in_reach = accelerators and not any(call_argument.star for call in accelerators for call_argument in call.args)
    variables = settings.variables if in_reach else settings.all_as_variables()
    if in_reach:
        for call in accelerators:
            own = {call_argument.keyword.value for call_argument in call.args if call_argument.keyword is not None}
            for name, text in settings.keywords.items():
                if name not in own:
                    rewrite.arguments_of(call).append(_keyword(name, text))
    if variables:
        body = program.indent(program.statement(function.body.body[0]))
        rewrite.edits.append(at_top(program, function, [_update_line(rewrite, variables, body)]))
    return None


def _keyword(name: str, text: str) -> Callable[[str], str]:
    return lambda indent: f"{name}={text}"


def own_function(program: Program, value: cst.BaseExpression) -> cst.FunctionDef | None:
    """The function of this file behind `train_loop_per_worker`, if only the trainer uses it."""
    if not isinstance(value, cst.Name):
        return None
    bindings = program.bindings(value)
    if len(bindings) != 1 or not isinstance(bindings[0].node, cst.FunctionDef):
        return None
    node = bindings[0].node
    if len(program.uses(bindings[0])) != 1 or node.decorators or not isinstance(node.body, cst.IndentedBlock):
        return None
    return node


def _default_config_parameter(program: Program, value: cst.BaseExpression) -> cst.Param | None:
    """The only parameter of a function of this file, if it has a default: Ray calls such a function without it now."""
    if not isinstance(value, cst.Name):
        return None
    for binding in program.bindings(value):
        if isinstance(binding.node, cst.FunctionDef):
            parameters = binding.node.params.params
            if len(parameters) == 1 and parameters[0].default is not None:
                return parameters[0]
    return None


def _require_parameter(rewrite: Rewrite, function: cst.FunctionDef) -> None:
    """Drop the default of the configuration's parameter, else current Ray doesn't pass the configuration."""
    parameters = function.params.params
    if len(parameters) == 1 and parameters[0].default is not None:
        parameter = parameters[0]
        before = parameter.annotation.annotation if parameter.annotation is not None else parameter.name
        assert parameter.default is not None
        start = rewrite.program.outer_span(before)[1]
        rewrite.edits.append(Edit(start, rewrite.program.outer_span(parameter.default)[1], ""))


def _update_line(rewrite: Rewrite, variables: dict[str, str], indent: str) -> str:
    """`os.environ.update({...})`."""
    unit = rewrite.program.module.default_indent
    update = f"{rewrite.imports.module('os')}.environ.update("
    items = [Argument(f'"{name}": {text}') for name, text in sorted(variables.items())]
    line = sequence("{", items, "}", indent, unit, before=f"{update})")
    return f"{update}{line})"


def _wrap(rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg], settings: AccelerateSettings) -> Wrapper:
    """A train function that sets the variables and calls the user's."""
    program = rewrite.program
    argument = arguments["train_loop_per_worker"]
    place = site.statement
    if not ValueAnalysis(program, place).is_movable(argument.value):
        raise Refusal("MT303", argument, "it is only known when the script runs")
    takes_config = _takes_config(program, argument.value)
    if takes_config is None:
        if "train_loop_config" not in arguments:
            raise Refusal("MT303", argument, "whether it takes a configuration can't be seen")
        takes_config = True
    indent = program.indent(place)
    unit = program.module.default_indent
    name = rewrite.new_name("train_func")
    config = "config" if program.outer_text(argument.value) != "config" else "train_loop_config"
    parameter = config if takes_config else ""
    variables = settings.all_as_variables()
    lines = [_update_line(rewrite, variables, indent + unit)] if variables else []
    lines.append(f"return {program.outer_text(argument.value)}({parameter})")
    return Wrapper(name, f"\n{indent}{unit}".join([f"def {name}({parameter}):", *lines]))


def _takes_config(program: Program, value: cst.BaseExpression) -> bool | None:
    """Whether a function takes the configuration, None where its definition isn't in this file."""
    if not isinstance(value, cst.Name):
        return None
    bindings = program.bindings(value)
    if len(bindings) == 1 and isinstance(bindings[0].node, cst.FunctionDef):
        return bool(bindings[0].node.params.params)
    return None
