"""Following a variable through calls of the file's functions, on to what they are given and back to where it began."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind, Scope
from migrate_trainers.refusal import Refusal
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from migrate_trainers.reading.program import Program

# A variable is the same wherever its scope and its name are.
Variable = tuple[Scope, str]


def variable(program: Program, name: cst.Name) -> Variable | None:
    """The variable that a name reads; None for builtins and unknown names."""
    bindings = program.bindings(name)
    return (bindings[0].scope, name.value) if bindings else None


def function_called(program: Program, call: cst.Call) -> cst.FunctionDef | None:
    """The function of the file that a call runs, if its name means nothing else."""
    bindings = program.named(call.func)
    node = bindings[0].node if len(bindings) == 1 else None
    return node if isinstance(node, cst.FunctionDef) else None


def calls_of(program: Program, function: cst.FunctionDef) -> list[cst.Call]:
    """The calls of a function of the file; raises `Refusal` where it is used otherwise."""
    calls = []
    bindings = [one for one in program.all_bindings() if one.node is function]
    for use in program.uses(bindings[0]):
        above = program.parent(use)
        if not isinstance(above, cst.Call) or above.func is not use or len(program.bindings(use)) != 1:
            raise Refusal("MT631", use, f"`{use.value}` is used otherwise than in calls")
        calls.append(above)
    return calls


def origins(program: Program, name: cst.Name) -> set[Variable]:
    """The variables that a name may stand for, which no call has handed on; raises `Refusal` where that isn't seen."""
    found: set[Variable] = set()
    pending, seen = [name], set[Variable]()
    while pending:
        current = pending.pop()
        one = variable(program, current)
        if one is None or one in seen:
            continue
        seen.add(one)
        bindings = program.bindings(current)
        parameters = [binding for binding in bindings if binding.kind is BindingKind.PARAMETER]
        if not parameters:
            found.add(one)
            continue
        function = one[0].node
        if not isinstance(function, cst.FunctionDef) or len(bindings) != len(parameters):
            raise Refusal("MT631", current, f"what `{current.value}` stands for can't be seen")
        for call in calls_of(program, function):
            given = _given(program, function, call).get(current.value)
            if isinstance(given, cst.Name):
                pending.append(given)
            elif given is not None:
                raise Refusal("MT631", given, f"`{current.value}` of `{function.name.value}` has no name here")
    return found


def readings(program: Program, followed: Variable) -> list[cst.Name]:
    """All names that read a variable's value: those of the parameters, too, that functions of the file get it by."""
    found: list[cst.Name] = []
    pending, seen = [followed], {followed}
    while pending:
        scope, text = pending.pop()
        names = [one for one in program.names if one.value == text and variable(program, one) == (scope, text)]
        found += names
        for name in names:
            for one in _handed_to(program, name):
                if one not in seen:
                    seen.add(one)
                    pending.append(one)
    return found


def is_handed_on(program: Program, name: cst.Name) -> bool:
    """Whether a name is an argument of a function of the file."""
    return any(True for _ in _handed_to(program, name))


def _handed_to(program: Program, name: cst.Name) -> Iterator[Variable]:
    argument = program.parent(name)
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    function = function_called(program, call) if isinstance(call, cst.Call) else None
    if isinstance(call, cst.Call) and function is not None:
        for parameter, value in _given(program, function, call).items():
            if value is name:
                yield program.scope(function.body), parameter


def _given(program: Program, function: cst.FunctionDef, call: cst.Call) -> dict[str, cst.BaseExpression]:
    """A call's arguments by parameter; raises `Refusal` where stars hide which is which."""
    parameters = [one.name.value for one in (*function.params.posonly_params, *function.params.params)]
    bound = bound_arguments(call, parameters)
    if bound is None:
        raise Refusal("MT631", call, f"what `{function.name.value}` is given can't be seen")
    return {name: argument.value for name, argument in bound.items()}


def names_below(node: cst.CSTNode) -> Iterable[cst.Name]:
    """The names in an expression that are read, without attributes and keywords."""
    if isinstance(node, cst.Name):
        yield node
        return
    for child in node.children:
        is_label = (isinstance(node, cst.Attribute) and child is node.attr) or (
            isinstance(node, cst.Arg) and child is node.keyword
        )
        if not is_label:
            yield from names_below(child)
