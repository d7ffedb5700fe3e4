"""Which legacy trainers a script gives to a `Tuner`, and the search spaces that it gives with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind, own_returns
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.tuning.reach import assigned_variable, reach_of, uses_of
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.rewrite import CallSite


@dataclass(frozen=True)
class Entry:
    """One entry of a dictionary that the script writes out: the node that spells its key, and its value."""

    key: cst.CSTNode
    value: cst.BaseExpression


@dataclass(frozen=True, eq=False)
class TunerCall:
    """One construction of a Tuner with its arguments by name and the entries of its `param_space`."""

    call: cst.Call
    arguments: dict[str, cst.Arg]
    statement: Statement
    space: dict[str, Entry]


@dataclass(frozen=True, eq=False)
class TunedTrainer:
    """A legacy trainer that only Tuners are given.

    `uses` are the expressions that hand it on: those that read its variable, or else the call that makes it. `given_to`
    are all calls that it gets to, also of `Tuner.restore`.
    """

    site: CallSite
    variable: Binding | None
    tuners: tuple[TunerCall, ...]
    uses: tuple[cst.BaseExpression, ...]
    given_to: tuple[cst.Call, ...]


def tuned_trainers(program: Program, sites: Sequence[CallSite]) -> dict[CallSite, TunedTrainer]:
    """The call sites whose trainer is tuned; raises `Refusal` for a Tuner that can't be followed to what it runs."""
    tuned: dict[CallSite, TunedTrainer] = {}
    explained: set[cst.Call] = set()
    for site in sites:
        found = _tuned(program, site)
        if found is None:
            continue
        tuned[site] = found
        shared = [call for call in found.given_to if call in explained]
        if shared:
            raise Refusal("MT501", shared[0], "it is given several trainers")
        explained |= set(found.given_to)
    for call in program.calls:
        if call not in explained and _runs_trials(program, call) and not _tunes_something_else(program, call):
            is_trainable = any(attribute.attr.value == "as_trainable" for attribute in program.attributes)
            detail = "" if is_trainable else f"what `{program.text(call.func)}` runs may be a legacy trainer"
            raise Refusal("MT506" if is_trainable else "MT501", call, detail)
    return tuned


def _tuned(program: Program, site: CallSite) -> TunedTrainer | None:
    reach = reach_of(program, site.call)
    if not reach.tuners:
        return None
    if reach.others:
        other = reach.others[0]
        raise Refusal("MT501", other, f"`{program.text(other)}` is used for more than being tuned")
    tuners = [_read_tuner(program, call) for call in reach.tuners if program.qualified_name(call.func) in legacy.TUNERS]
    if not tuners:
        raise Refusal("MT501", reach.tuners[0], "the trainer is only given to a Tuner that is restored")
    variable = assigned_variable(program, site.call)
    uses = uses_of(program, variable) if variable is not None else [site.call]
    return TunedTrainer(site, variable, tuple(tuners), tuple(uses), tuple(reach.tuners))


def _target_name(statement: cst.Assign | cst.AnnAssign) -> str:
    target = statement.targets[0].target if isinstance(statement, cst.Assign) else statement.target
    return target.value if isinstance(target, cst.Name) else ""


def _runs_trials(program: Program, call: cst.Call) -> bool:
    return program.qualified_name(call.func) in legacy.TUNERS | legacy.TUNER_RESTORES | legacy.TUNE_RUNS


def _tunes_something_else(program: Program, call: cst.Call) -> bool:
    """Whether a Tuner surely runs something other than a trainer: a function or class of the file, or a named one."""
    bound = bound_arguments(call, ("trainable",)) if program.qualified_name(call.func) in legacy.TUNERS else None
    argument = bound.get("trainable") if bound else None
    value = argument.value if argument is not None else None
    while isinstance(value, cst.Call) and program.qualified_name(value.func) in legacy.TUNE_WRAPPERS and value.args:
        value = value.args[0].value
    if isinstance(value, cst.SimpleString | cst.Lambda):
        return True
    if isinstance(value, cst.Name):
        bindings = program.bindings(value)
        return bool(bindings) and all(binding.kind in (BindingKind.FUNCTION, BindingKind.CLASS) for binding in bindings)
    return False


def _read_tuner(program: Program, call: cst.Call) -> TunerCall:
    arguments = bound_arguments(call, ("trainable",))
    if arguments is None:
        raise Refusal("MT104", call, "the arguments of `Tuner`")
    unknown = [name for name in arguments if name not in legacy.TUNER_ARGUMENTS]
    if unknown:
        raise Refusal("MT501", arguments[unknown[0]], f"`Tuner({unknown[0]}=...)`")
    space = arguments.get("param_space")
    entries = dict(entries_of(program, space.value)) if space is not None else {}
    return TunerCall(call, arguments, program.statement(call), entries)


def is_population(program: Program) -> bool:
    """Whether a scheduler of the file starts trials from other trials' checkpoints."""
    return any(program.qualified_name(call.func) in legacy.POPULATION_SCHEDULERS for call in program.calls)


def mutated_entries(program: Program, key: str) -> list[Entry]:
    """What the mutations of population based schedulers have under a key."""
    return [
        entry
        for call in program.calls
        if program.qualified_name(call.func) in legacy.POPULATION_SCHEDULERS
        for argument in call.args
        if argument.keyword is not None and argument.keyword.value in legacy.MUTATION_ARGUMENTS
        for name, entry in entries_of(program, argument.value)
        if name == key
    ]


def is_entry(program: Program, node: cst.CSTNode) -> bool:
    """Whether an expression is an entry of a search space or of mutations, and so reaches trainers only."""
    parent = program.parent(node)
    dictionary = program.parent(parent) if isinstance(parent, cst.DictElement | cst.Arg) else None
    if not isinstance(dictionary, cst.Dict | cst.Call):
        return False
    if isinstance(dictionary, cst.Call) and not program.is_builtin(dictionary.func, "dict"):
        return False
    above = program.parent(dictionary)
    if isinstance(above, cst.Arg | cst.Return):
        return _takes_space(program, dictionary)
    if isinstance(above, cst.Assign | cst.AnnAssign):
        bindings = program.scope(above).lookup(_target_name(above))
        return len(bindings) == 1 and all(_takes_space(program, use) for use in program.uses(bindings[0]))
    return False


def _takes_space(program: Program, node: cst.CSTNode) -> bool:
    """Whether an expression is the search space of a Tuner, or the mutations of a scheduler."""
    argument = program.parent(node)
    if isinstance(argument, cst.Return):
        return _gives_spaces(program, program.enclosing(argument, cst.FunctionDef))
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    if not isinstance(argument, cst.Arg) or not isinstance(call, cst.Call) or argument.keyword is None:
        return False
    qualified = program.qualified_name(call.func)
    if argument.keyword.value == "param_space":
        return qualified in legacy.TUNERS | legacy.TUNER_RESTORES
    return argument.keyword.value in legacy.MUTATION_ARGUMENTS and qualified in legacy.POPULATION_SCHEDULERS


def _gives_spaces(program: Program, function: cst.FunctionDef | None) -> bool:
    """Whether a function of the file is only called, and what it returns is only taken for search spaces."""
    if function is None:
        return False
    bindings = program.scope(function).lookup(function.name.value)
    if len(bindings) != 1 or bindings[0].node is not function or function.decorators or function.asynchronous:
        return False
    calls = [program.parent(use) for use in program.uses(bindings[0])]
    return all(
        isinstance(call, cst.Call) and call.func is use and _takes_space(program, call)
        for use, call in zip(program.uses(bindings[0]), calls, strict=True)
    )


def _returned(program: Program, call: cst.Call) -> cst.BaseExpression | None:
    """What a function of the file that only gives search spaces returns, in its one `return`."""
    bindings = program.named(call.func)
    function = bindings[0].node if len(bindings) == 1 else None
    if not isinstance(function, cst.FunctionDef) or not _gives_spaces(program, function):
        return None
    returns = own_returns(function.body)
    return returns[0].value if len(returns) == 1 else None


def entries_of(program: Program, value: cst.BaseExpression) -> Iterator[tuple[str, Entry]]:
    """The entries of a search space that is written out in place or in a variable of its own."""
    written = _written(program, value)
    if isinstance(written, cst.Dict):
        for element in written.elements:
            key = string(element.key) if isinstance(element, cst.DictElement) else None
            if key is None or not isinstance(element, cst.DictElement):
                raise Refusal("MT501", element, "the keys of the search space are only known when the script runs")
            yield key, Entry(element.key, element.value)
        return
    if isinstance(written, cst.Call) and program.is_builtin(written.func, "dict"):
        for argument in written.args:
            if argument.keyword is None:
                raise Refusal("MT501", argument, "the keys of the search space are only known when the script runs")
            yield argument.keyword.value, Entry(argument.keyword, argument.value)
        return
    if isinstance(written, cst.Name) and written.value == "None":
        return
    raise Refusal("MT501", value, "the search space is not a dictionary that is written out in this file")


def _written(program: Program, value: cst.BaseExpression) -> cst.BaseExpression:
    """The expression behind a value: what a variable or function only gives to Tuners."""
    returned = _returned(program, value) if isinstance(value, cst.Call) else None
    if returned is not None:
        return _written(program, returned)
    if not isinstance(value, cst.Name) or value.value == "None":
        return value
    bindings = program.bindings(value)
    if len(bindings) != 1 or bindings[0].kind is not BindingKind.ASSIGNMENT or bindings[0].value is None:
        raise Refusal("MT501", value, f"`{value.value}` is not simply assigned")
    for use in program.uses(bindings[0]):
        if not _takes_space(program, use):
            raise Refusal("MT501", use, f"`{value.value}` is used for more than a search space")
    return bindings[0].value
