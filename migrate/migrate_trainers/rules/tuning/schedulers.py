"""What starts trials again: schedulers, from other trials' checkpoints or after a pause, and searches that go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.tuning.spaces import Entry, entries_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding

# The arguments of Tuner, TuneConfig and `tune.run` that say what is done to trials.
_DECIDING = frozenset({"tune_config", "scheduler", "search_alg"})
_STARTING = legacy.POPULATION_SCHEDULERS | legacy.PAUSING_SCHEDULERS


def is_population(program: Program) -> bool:
    """Whether a scheduler of the file starts trials from other trials' checkpoints, with another configuration."""
    return any(program.qualified_name(call.func) in legacy.POPULATION_SCHEDULERS for call in program.calls)


def starts_trials_again(program: Program) -> bool:
    """Whether Tune may start trials of the file from checkpoints."""
    return any(_may_start_again(program, call) for call in program.calls)


def _may_start_again(program: Program, call: cst.Call) -> bool:
    qualified = program.qualified_name(call.func)
    if qualified in legacy.TUNE_RUN:
        return any(one.keyword is not None and one.keyword.value in legacy.CONTINUING_ARGUMENTS for one in call.args)
    return qualified in _STARTING | legacy.TUNER_RESTORES or _may_pause(program, call)


def _may_pause(program: Program, call: cst.Call) -> bool:
    """Whether a call makes a scheduler that stops trials for good, or may do so only for a while."""
    if program.qualified_name(call.func) not in legacy.STOPPING_SCHEDULERS:
        return False
    named = [one for one in call.args if one.keyword is not None and one.keyword.value == legacy.HARD_STOP]
    if any(one.star for one in call.args) or sum(one.keyword is None for one in call.args) > legacy.HARD_STOP_POSITION:
        return True
    return any(program.text(one.value) != "True" for one in named)


def check_schedulers(program: Program) -> None:
    """Raise `Refusal` for schedulers of which it can't be known what they do to trials."""
    for node in (*program.names, *program.attributes):
        qualified = program.qualified_name(node)
        if qualified in legacy.UNKNOWN_SCHEDULERS:
            raise Refusal("MT501", node, f"what `{program.text(node)}` does to its trials can't be seen")
        if qualified in _STARTING and not _is_called(program, node):
            raise Refusal("MT501", node, f"`{program.text(node)}` is used without being made")
    for argument in _deciding_arguments(program):
        if not _is_made_here(program, argument.value, set()):
            raise Refusal("MT501", argument, f"`{program.text(argument.value)}` comes from another file")
    for name in _names(program):
        if string(name) not in legacy.PLAIN_SCHEDULER_NAMES:
            detail = f"whether {program.text(name)} starts trials again can't be seen: name the scheduler's class"
            raise Refusal("MT501", name, detail)


def _deciding_arguments(program: Program) -> Iterator[cst.Arg]:
    """What the file's Tuners are given to decide on trials."""
    for call in program.calls:
        if (program.qualified_name(call.func) or "").startswith("ray.tune."):
            yield from (one for one in call.args if one.keyword is not None and one.keyword.value in _DECIDING)


def _is_made_here(program: Program, value: cst.BaseExpression, seen: set[Binding]) -> bool:
    """Whether no code of another file, but for Ray's, makes a value, as far as its names tell."""
    while isinstance(value, cst.Attribute | cst.Call):
        value = value.value if isinstance(value, cst.Attribute) else value.func
    bindings = [one for one in program.bindings(value) if one not in seen] if isinstance(value, cst.Name) else []
    seen |= {*bindings}
    for binding in bindings:
        if binding.kind is BindingKind.IMPORT and not (binding.imported or "").startswith("ray"):
            return False
        if binding.value is not None and not _is_made_here(program, binding.value, seen):
            return False
    return True


def _is_called(program: Program, node: cst.CSTNode) -> bool:
    parent = program.parent(node)
    return isinstance(parent, cst.Call) and parent.func is node


def _names(program: Program) -> Iterator[cst.BaseExpression]:
    """What names a scheduler by a string, or may do so."""
    for call in program.calls:
        qualified = program.qualified_name(call.func) or ""
        if qualified in legacy.SCHEDULER_MAKERS and call.args:
            yield call.args[0].value
        for argument in call.args:
            is_scheduler = argument.keyword is not None and argument.keyword.value == "scheduler"
            if is_scheduler and string(argument.value) is not None and qualified.startswith("ray.tune."):
                yield argument.value


def mutated(program: Program) -> Iterator[tuple[str, Entry]]:
    """What the mutations of population based schedulers have; raises `Refusal` where that can't be seen."""
    for call in program.calls:
        if program.qualified_name(call.func) not in legacy.POPULATION_SCHEDULERS:
            continue
        for index, argument in enumerate(call.args):
            if argument.star or (argument.keyword is None and index >= legacy.POPULATION_POSITIONS):
                raise Refusal("MT501", argument, "give the scheduler's mutations by their keyword")
            if argument.keyword is not None and argument.keyword.value in legacy.MUTATION_ARGUMENTS:
                yield from entries_of(program, argument.value)


def mutated_entries(program: Program, key: str) -> list[Entry]:
    """What the mutations of population based schedulers have under a key."""
    return [entry for name, entry in mutated(program) if name == key]
