"""Search spaces that a script writes out, and what they hold under each name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import own_returns
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.legacy_uses import target_name
from migrate_trainers.rules.literals import string

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program


@dataclass(frozen=True)
class Entry:
    """One entry of a dictionary that the script writes out: the node that spells its key, and its value."""

    key: cst.CSTNode
    value: cst.BaseExpression


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
        bindings = program.scope(above).lookup(target_name(above))
        return len(bindings) == 1 and all(_takes_space(program, use) for use in program.uses(bindings[0]))
    return False


def _takes_space(program: Program, node: cst.CSTNode) -> bool:
    """Whether an expression is the search space of a Tuner or search algorithm, or the mutations of a scheduler."""
    argument = program.parent(node)
    if isinstance(argument, cst.Return):
        return _gives_spaces(program, program.enclosing(argument, cst.FunctionDef))
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    if not isinstance(argument, cst.Arg) or not isinstance(call, cst.Call) or argument.star:
        return False
    qualified = program.qualified_name(call.func)
    if argument.keyword is None:
        return call.args[0] is argument and takes_space_first(program, call)
    if argument.keyword.value == "param_space":
        return qualified in legacy.TUNERS | legacy.TUNER_RESTORES
    if argument.keyword.value == "config":
        return qualified in legacy.TUNE_RUNS
    if argument.keyword.value in legacy.SEARCH_SPACE_ARGUMENTS:
        return is_search_algorithm(program, call)
    return argument.keyword.value in legacy.MUTATION_ARGUMENTS and qualified in legacy.POPULATION_SCHEDULERS


def is_search_algorithm(program: Program, call: cst.Call) -> bool:
    """Whether a call makes what decides on the values of each trial."""
    qualified = program.qualified_name(call.func) or ""
    return qualified.startswith(legacy.SEARCH_MODULES) or qualified in legacy.SEARCHER_MAKERS


def takes_space_first(program: Program, call: cst.Call) -> bool:
    """Whether a call makes a search algorithm whose first argument is a search space."""
    name = (program.qualified_name(call.func) or "").rpartition(".")[2]
    return is_search_algorithm(program, call) and name in legacy.SEARCHERS_OF_SPACES


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
    variable = program.sole_assignment(value)
    if variable is None or variable.value is None:
        raise Refusal("MT501", value, f"`{value.value}` is not simply assigned")
    for use in program.uses(variable):
        if not _takes_space(program, use):
            raise Refusal("MT501", use, f"`{value.value}` is used for more than a search space")
    return variable.value
