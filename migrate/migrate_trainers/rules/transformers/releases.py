"""Arguments that newer releases of Transformers call otherwise or don't take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.transformers_arguments import (
    ACCUMULATES_BY_TOKENS_SINCE,
    LOSS_GETS_NUMBER_OF_ITEMS,
    NUMBER_OF_ITEMS,
    POSITIONAL_UNTIL,
    TRAINER_ARGUMENTS,
    TRAINER_POSITIONAL,
    TRAINING_ARGUMENTS,
    written,
)
from migrate_trainers.rules.literals import entries_of
from migrate_trainers.rules.transformers.made_trainers import is_trainer_class, trainer_calls, training_arguments_calls
from migrate_trainers.rules.transformers.training_arguments import given_arguments

if TYPE_CHECKING:
    from collections.abc import Collection

    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.transformers_arguments import Change
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.transformers.training_arguments import TrainersArguments
    from migrate_trainers.settings import Version

_FIRST_MOVED = TRAINER_POSITIONAL.index("compute_metrics")
# Attributes of the arguments that scripts read and set themselves.
_ATTRIBUTES = ("evaluation_strategy", "no_cuda")
_ACCUMULATION = "gradient_accumulation_steps"


def adapt_to_release(rewrite: Rewrite) -> None:
    """Rename and remove what the target's Transformers doesn't take; without a target, say what newer ones don't."""
    program = rewrite.program
    for call in training_arguments_calls(program):
        given = given_arguments(program, call)
        names = given.written.keys() | given.unpacked.keys()
        for name, argument in given.written.items():
            if name in TRAINING_ARGUMENTS:
                _adapt_argument(rewrite, call, argument, (name, TRAINING_ARGUMENTS[name]), names)
            elif argument.keyword is None and name != "output_dir" and _has(rewrite, POSITIONAL_UNTIL):
                rewrite.arguments_of(call).rename(argument, name)
        _say_how_gradients_accumulate(rewrite, given.value(_ACCUMULATION))
        for name, value in given.unpacked.items():
            if name in TRAINING_ARGUMENTS:
                _say(rewrite, value, name, TRAINING_ARGUMENTS[name])
    for call in trainer_calls(program):
        _adapt_trainer(rewrite, call)
    for attribute in program.attributes:
        if attribute.attr.value in _ATTRIBUTES:
            _say(rewrite, attribute, attribute.attr.value, TRAINING_ARGUMENTS[attribute.attr.value])
    _adapt_losses(rewrite)


def say_of_other_files(rewrite: Rewrite, init: cst.Arg) -> None:
    """What newer releases don't take in the files from which a `trainer_init_per_worker` is imported."""
    program = rewrite.program
    nodes = [node for node in (*program.names, *program.attributes) if program.contains(init.value, node)]
    named = {other: binding.name for node in nodes for other, binding in program.definitions(node)}
    for other, function in named.items():
        if other is program:
            continue
        given = [given_arguments(other, call) for call in training_arguments_calls(other)]
        names = {name for one in given for name in (*one.written, *one.unpacked)}
        for name in sorted(names & TRAINING_ARGUMENTS.keys()):
            _say(rewrite, init, name, TRAINING_ARGUMENTS[name], f" in the file of `{function}`")


def say_of_passed(rewrite: Rewrite, config: cst.Arg | None, arguments: TrainersArguments) -> None:
    """What newer releases don't take of a `trainer_init_config` that may reach `TrainingArguments` whole."""
    if config is None or not any(given.hides_some for given in arguments.given):
        return
    program = rewrite.program
    assigned = program.assigned_value(config.value) if isinstance(config.value, cst.Name) else None
    entries = entries_of(program, assigned or config.value) or {}
    passed = {name: value for name, value in entries.items() if not any(one.has(name) for one in arguments.given)}
    for name, value in passed.items():
        if name in TRAINING_ARGUMENTS:
            _say(rewrite, value, name, TRAINING_ARGUMENTS[name])
    _say_how_gradients_accumulate(rewrite, passed.get(_ACCUMULATION))


def _say_how_gradients_accumulate(rewrite: Rewrite, value: cst.BaseExpression | None) -> None:
    is_one = isinstance(value, cst.Integer) and value.evaluated_value == 1
    target = rewrite.settings.target_transformers
    if value is not None and not is_one and (target is None or target >= ACCUMULATES_BY_TOKENS_SINCE):
        detail = "the losses of `compute_loss` add up, undivided" if _own_losses(rewrite.program) else ""
        rewrite.review("MT228", value, detail)


def _has(rewrite: Rewrite, release: Version) -> bool:
    """Whether the output is known to run with a release, or a newer one."""
    target = rewrite.settings.target_transformers
    return target is not None and target >= release


def _adapt_argument(
    rewrite: Rewrite, call: cst.Call, argument: cst.Arg, named: tuple[str, Change], others: Collection[str]
) -> None:
    name, change = named
    if not _has(rewrite, change.removed):
        _say(rewrite, argument, name, change)
        return
    edits, value = rewrite.arguments_of(call), rewrite.program.text(argument.value)
    instead = change.values.get(value.replace("'", '"'))
    if change.new is not None and change.new not in others:
        edits.rename(argument, change.new)
    elif instead and instead.partition("=")[0] not in others:
        edits.replace(argument, instead)
    else:
        edits.remove(argument)
        if instead != "" and not change.is_idle:
            beside = f"beside `{change.new}`" if change.new is not None else change.advice
            rewrite.review("MT225", argument, f"`{name}={value}`; {beside}")


def _say(rewrite: Rewrite, node: cst.CSTNode, name: str, change: Change, where: str = "") -> None:
    """What newer releases do, where it isn't known that the output won't run with one, and can't be changed here."""
    target = rewrite.settings.target_transformers
    if target is not None and target < change.removed:
        return
    gone = f"gone in {written(change.removed)}"
    if change.new is not None:
        since = f" since {written(change.since)}" if change.since is not None else ""
        rewrite.review("MT212", node, f"`{name}`{where} is `{change.new}`{since}, and {gone}")
    else:
        rewrite.review("MT224", node, f"`{name}`{where} is {gone}: {change.advice}")


def _adapt_trainer(rewrite: Rewrite, call: cst.Call) -> None:
    if any(argument.star == "*" for argument in call.args):
        return
    for index, argument in enumerate(call.args):
        if argument.star:
            continue
        if argument.keyword is not None and argument.keyword.value in TRAINER_ARGUMENTS:
            name = argument.keyword.value
            _adapt_argument(rewrite, call, argument, (name, TRAINER_ARGUMENTS[name]), ())
        elif argument.keyword is None and _FIRST_MOVED <= index < len(TRAINER_POSITIONAL):
            # The name says the same to every release, unlike the position.
            rewrite.arguments_of(call).rename(argument, TRAINER_POSITIONAL[index])


def _adapt_losses(rewrite: Rewrite) -> None:
    """Newer Trainers give `compute_loss` another argument, which a script's own one must take."""
    target = rewrite.settings.target_transformers
    if target is not None and target < LOSS_GETS_NUMBER_OF_ITEMS:
        return
    program = rewrite.program
    for function in _own_losses(program):
        if target is None:
            rewrite.review("MT226", function.name, "")
        else:
            end = _end_of_parameters(program, function.params)
            rewrite.edits.append(Edit(end, end, f", {NUMBER_OF_ITEMS}=None"))


def _own_losses(program: Program) -> list[cst.FunctionDef]:
    """The methods `compute_loss` of the file's own Trainers that know nothing of a number of items."""
    return [
        binding.node
        for scope in program.all_scopes()
        if isinstance(scope.node, cst.ClassDef)
        and any(is_trainer_class(program, one.value) for one in scope.node.bases)
        for binding in scope.bindings.get("compute_loss", ())
        if isinstance(binding.node, cst.FunctionDef) and not _takes_number_of_items(binding.node.params)
    ]


def _takes_number_of_items(parameters: cst.Parameters) -> bool:
    named = [*parameters.params, *parameters.kwonly_params]
    return isinstance(parameters.star_kwarg, cst.Param) or any(one.name.value == NUMBER_OF_ITEMS for one in named)


def _end_of_parameters(program: Program, parameters: cst.Parameters) -> int:
    """Offset behind the last parameter with its annotation and default; `self` is one at least."""
    last = [*parameters.posonly_params, *parameters.params, *parameters.kwonly_params][-1]
    end = program.span(last.annotation or last.name)[1]
    return end if last.default is None else program.outer_span(last.default)[1]
