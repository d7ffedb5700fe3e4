"""The train function of an AccelerateTrainer: it stays, and gets what `accelerate_config` set.

Precision, dynamo and the device become arguments of `Accelerator(...)`. FSDP, DeepSpeed and Megatron are set through
the variables that the legacy trainer set: accelerate then makes its plugins of them as it did, and what the train
function passes counts as much as before.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind, is_future_import
from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.accelerate.accelerator import (
    accelerator_calls,
    compiles,
    give_device,
    give_settings,
    is_used_otherwise,
    state_calls,
    variables_for,
)
from migrate_trainers.rules.accelerate.settings import DYNAMO_DEFAULTS, AccelerateSettings
from migrate_trainers.rules.accelerate.train_loop import (
    PARTIAL,
    owned_definitions,
    reached_definitions,
    uses_by_definition,
)
from migrate_trainers.writing.placement import at_top
from migrate_trainers.writing.render import Argument, free_name, names_in, sequence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.accelerate.sites import AccelerateSite
    from migrate_trainers.rules.rewrite import Rewrite


@dataclass(frozen=True)
class Wrapper:
    """A train function around the user's: its name, and for where the trainer is made its definition and lines."""

    name: str
    definition: str
    lines: tuple[str, ...] = ()


def write_settings(rewrite: Rewrite, sites: Sequence[AccelerateSite]) -> list[tuple[AccelerateSite, Wrapper]]:
    """Give some trainers' settings, which are equal, to the Accelerators of their train functions.

    Where these are out of reach, the settings are set at the function's top, or else around a call of it: by the
    functions that are returned.
    """
    wrappers = []
    program, settings = rewrite.program, sites[0].settings
    if compiles(program):
        settings = replace(settings, variables=DYNAMO_DEFAULTS | settings.variables)
    own = [site for site in sites if _is_own(program, site, sites)]
    roots = [site.loop.definition for site in own if site.loop.definition is not None]
    missing = _give_to_accelerators(rewrite, roots, settings)
    edited: set[cst.CSTNode] = set()
    for site in sites:
        node = site.loop.definition
        if site not in own or not _can_be_edited(site) or settings.values:
            wrapper = _wrapper(rewrite, site, missing if site in own else settings)
            wrappers += [(site, wrapper)] if wrapper is not None else []
        elif node not in edited:
            assert isinstance(node, cst.FunctionDef)
            edited.add(node)
            _set_at_top(rewrite, node, missing)
            _require_config(rewrite, site)
    return wrappers


def tell_devices(rewrite: Rewrite, sites: Sequence[AccelerateSite]) -> None:
    """Tell the states that train loops make on CPU workers, before any Accelerator, which no variable reaches."""
    program = rewrite.program
    for cpu in (True, None):
        equal = [site for site in sites if site.settings.cpu is cpu]
        roots = [site.loop.definition for site in equal if site.loop.program is program and site.loop.definition]
        own = [site.loop.definition for site in equal if _is_own(program, site, equal)]
        told = state_calls(program, owned_definitions(program, [node for node in own if node is not None]))
        for call in state_calls(program, reached_definitions(program, roots)):
            if call not in told:
                raise Refusal(
                    "MT303", call, "other code makes the state too, which has to say `cpu=...` for the workers"
                )
            with _imports_for(rewrite, call):
                give_device(rewrite, call, equal[0].settings)


def _is_own(program: Program, site: AccelerateSite, sites: Sequence[AccelerateSite]) -> bool:
    """Whether a trainer's loop is a definition of this file that only trainers with the same settings use."""
    node = site.loop.definition
    if node is None or site.loop.program is not program:
        return False
    given = _given(program, [one.function.value for one in sites])
    uses = uses_by_definition(program).get(node, []) if isinstance(node, cst.FunctionDef) else [node]
    return all(any(program.contains(one, use) for one in given) for use in uses)


def own_function(program: Program, site: AccelerateSite) -> cst.FunctionDef | None:
    """The function of this file that a trainer's loop is, if nothing else uses it, and lines can be added to it."""
    node = site.loop.definition
    is_own = isinstance(node, cst.FunctionDef) and _is_own(program, site, [site]) and _can_be_edited(site)
    return node if is_own and isinstance(node, cst.FunctionDef) else None


def _given(program: Program, values: list[cst.BaseExpression]) -> list[cst.BaseExpression]:
    """Expressions that trainers are given, with the values of the variables that are for these alone."""
    given = list(values)
    for value in given:
        names = [name for name in program.names if program.contains(value, name)]
        for binding in (binding for name in names for binding in program.bindings(name)):
            if binding.kind is not BindingKind.ASSIGNMENT or binding.value is None or binding.value in given:
                continue
            if all(any(program.contains(one, use) for one in given) for use in program.uses(binding)):
                given.append(binding.value)
    return given


def _give_to_accelerators(
    rewrite: Rewrite, roots: Sequence[cst.CSTNode], settings: AccelerateSettings
) -> AccelerateSettings:
    """Give settings to the Accelerators that train loops make; returns what has to be set before they are made."""
    program = rewrite.program
    owned = owned_definitions(program, roots)
    calls = accelerator_calls(program, owned)
    is_seen = calls and calls == accelerator_calls(program, reached_definitions(program, roots))
    if not is_seen or is_used_otherwise(program):
        return settings
    left = []
    for call in calls:
        with _imports_for(rewrite, call):
            left.append(give_settings(rewrite, call, settings))
    keywords = {name: text for one in left for name, text in one.keywords.items()}
    is_told = all(one.cpu is False for one in left)
    return replace(settings, keywords=keywords, cpu=False if is_told else settings.cpu)


def _imports_for(rewrite: Rewrite, node: cst.CSTNode) -> AbstractContextManager[None]:
    """Where imports have to stand that code at a node reads; raises `Refusal` if there is no such place."""
    program = rewrite.program
    if rewrite.imports.reaches(node):
        return nullcontext()
    for statement in program.imports:
        if not is_future_import(statement) and program.contains(program.block(program.statement(statement)), node):
            return rewrite.imports.standing_at(statement)
    raise Refusal("MT303", node, "nothing is imported where it could read it")


def _can_be_edited(site: AccelerateSite) -> bool:
    """Whether lines can be added to a loop's definition, and its configuration be made required."""
    node = site.loop.definition
    if not isinstance(node, cst.FunctionDef) or not isinstance(node.body, cst.IndentedBlock):
        return False
    optional = site.loop.optional_config
    if optional is None:
        return True
    parameters = node.params.params
    earlier = parameters[: parameters.index(optional)] if optional in parameters else None
    return earlier is not None and all(parameter.default is None for parameter in earlier)


def _require_config(rewrite: Rewrite, site: AccelerateSite) -> None:
    """Drop the default of the configuration's parameter, else current Ray doesn't pass the configuration."""
    parameter = site.loop.optional_config
    if parameter is not None and parameter.default is not None:
        before = parameter.annotation.annotation if parameter.annotation is not None else parameter.name
        start = rewrite.program.outer_span(before)[1]
        rewrite.edits.append(Edit(start, rewrite.program.outer_span(parameter.default)[1], ""))


def _update_line(rewrite: Rewrite, settings: AccelerateSettings, indent: str) -> str:
    """`os.environ.update({...})`, or an assignment where there is one variable."""
    variables = variables_for(rewrite, settings)
    environment = f"{rewrite.imports.module('os')}.environ"
    if len(variables) == 1:
        ((name, text),) = variables.items()
        return f'{environment}["{name}"] = {text}'
    unit = rewrite.program.module.default_indent
    update = f"{environment}.update("
    items = [Argument(f'"{name}": {text}') for name, text in sorted(variables.items())]
    return f"{update}{sequence('{', items, '}', indent, unit, before=f'{update})')})"


def _set_at_top(rewrite: Rewrite, function: cst.FunctionDef, settings: AccelerateSettings) -> None:
    if settings == AccelerateSettings():
        return
    program = rewrite.program
    first = program.statement(function.body.body[0])
    with _imports_for(rewrite, first):
        rewrite.edits.append(at_top(program, function, [_update_line(rewrite, settings, program.indent(first))]))


def _wrapper(rewrite: Rewrite, site: AccelerateSite, settings: AccelerateSettings) -> Wrapper | None:
    """A train function that sets variables and calls the user's, where one of both is needed."""
    if settings == AccelerateSettings() and site.loop.optional_config is None:
        return None
    program, argument = rewrite.program, site.function
    takes_config = site.loop.takes_config
    if takes_config is None:
        if "train_loop_config" not in site.arguments and not site.is_searched:
            raise Refusal("MT303", argument, "whether it takes a configuration can't be seen")
        takes_config = True
    place = site.call_site.statement
    indent = program.indent(place) + program.module.default_indent
    lines = tuple(f"{name} = {text}" for name, text in settings.values.items())
    if lines and program.loop_around(place) is not None:
        raise Refusal("MT301", site.arguments["accelerate_config"], "it changes from turn to turn of a loop")
    config = free_name(names_in(argument.value), "config", "train_loop_config")
    if isinstance(argument.value, cst.Lambda):
        parameter = ", ".join(one.name.value for one in argument.value.params.params)
        call = _body_text(rewrite, argument.value)
    elif _is_plain_partial(program, place, argument.value):
        assert isinstance(argument.value, cst.Call)
        parameter = config if takes_config else ""
        call = _partial_call(rewrite, argument.value, parameter)
    else:
        function = rewrite.text_of(argument.value)
        if not _may_be_called_later(program, place, argument.value):
            name = rewrite.new_name("train_loop")
            lines, function = (*lines, f"{name} = {function}"), name
            if program.loop_around(place) is not None:
                raise Refusal("MT303", argument, "it changes from turn to turn of a loop")
        parameter = config if takes_config else ""
        call = f"{function}({parameter})"
    body = [_update_line(rewrite, settings, indent)] if settings != AccelerateSettings() else []
    name = rewrite.new_name("train_func")
    return Wrapper(name, f"\n{indent}".join([f"def {name}({parameter}):", *body, f"return {call}"]), lines)


def _is_plain_partial(program: Program, place: Statement, value: cst.BaseExpression) -> bool:
    is_partial = isinstance(value, cst.Call) and program.qualified_name(value.func) == PARTIAL
    return is_partial and ValueAnalysis(program, place).is_movable(value)


def _partial_call(rewrite: Rewrite, partial: cst.Call, config: str) -> str:
    """The call that a partial makes when it is called with a configuration, if any."""
    function, *bound = partial.args
    positional = [rewrite.text_of(argument.value) for argument in bound if argument.keyword is None]
    named = [f"{one.keyword.value}={rewrite.text_of(one.value)}" for one in bound if one.keyword is not None]
    arguments = [*positional, *([config] if config else []), *named]
    return f"{rewrite.text_of(function.value)}({', '.join(arguments)})"


def _body_text(rewrite: Rewrite, function: cst.Lambda) -> str:
    """A lambda's expression for a `return` statement."""
    if accelerator_calls(rewrite.program, [function]):
        raise Refusal("MT303", function, "the lambda makes an `Accelerator` itself")
    text = rewrite.text_of(function.body)
    return text if "\n" not in text or function.body.lpar else f"({text})"


def _may_be_called_later(program: Program, place: Statement, value: cst.BaseExpression) -> bool:
    """Whether an expression is the same function when a worker evaluates it."""
    analysis = ValueAnalysis(program, place)
    if isinstance(value, cst.Attribute) and isinstance(value.value, cst.Name):
        return analysis.is_stable(value.value) and program.text(value) not in program.assigned_attributes
    return analysis.is_movable(value)
