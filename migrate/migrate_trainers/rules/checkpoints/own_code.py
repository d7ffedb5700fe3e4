"""The functions, methods and classes of a program: which an expression calls, who calls them, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program


def arguments_for(program: Program, function: cst.FunctionDef, parameter: cst.Param) -> list[cst.BaseExpression] | None:
    """What the calls of a function give for one of its parameters; None where the function is used otherwise."""
    parameters = [*function.params.posonly_params, *function.params.params]
    names = [one.name.value for one in (*parameters, *function.params.kwonly_params)]
    if parameter.name.value not in names or function.decorators:
        return None
    is_method = isinstance(program.parent(program.block(function)), cst.ClassDef)
    found = []
    for use in uses_of_function(program, function):
        call = program.parent(use)
        if not isinstance(call, cst.Call) or call.func is not use or any(one.star for one in call.args):
            return None
        for index, argument in enumerate(call.args):
            name = argument.keyword.value if argument.keyword is not None else None
            position = index + is_method
            if name is None and position < len(parameters):
                name = parameters[position].name.value
            if name == parameter.name.value:
                found.append(argument.value)
    return found


def uses_of_function(program: Program, function: cst.FunctionDef) -> Iterator[cst.CSTNode]:
    name = function.name.value
    owner = program.parent(program.block(function))
    if isinstance(owner, cst.ClassDef) and name == "__init__":
        for binding in program.scope(program.block(owner)).lookup(owner.name.value):
            yield from program.uses(binding)
        return
    if isinstance(owner, cst.ClassDef):
        for attribute in program.attributes:
            if attribute.attr.value == name:
                yield attribute
        return
    for binding in program.scope(program.block(function)).lookup(name):
        if binding.node is function:
            yield from program.uses(binding)


def own_function(program: Program, node: cst.BaseExpression) -> cst.FunctionDef | None:
    """The function or method of the program that an expression calls."""
    bindings = program.named(node)
    definition = bindings[0].node if len(bindings) == 1 else None
    if not bindings and not isinstance(node, cst.Name):
        definition = _own_method(program, node)
    if not isinstance(definition, cst.FunctionDef) or definition.decorators or definition.asynchronous:
        return None
    return definition


def _own_method(program: Program, node: cst.BaseExpression) -> cst.CSTNode | None:
    if not isinstance(node, cst.Attribute):
        return None
    owner = class_of_self(program, node) or _class_made_by(program, node.value)
    if owner is None:
        return None
    found = [
        statement
        for statement in owner.body.body
        if isinstance(statement, cst.FunctionDef) and statement.name.value == node.attr.value
    ]
    return found[0] if len(found) == 1 else None


def _class_made_by(program: Program, node: cst.BaseExpression) -> cst.ClassDef | None:
    """The class of the file of which an expression surely is an object: it is made there, or in its variable."""
    if isinstance(node, cst.Name):
        bindings = program.bindings(node)
        only = bindings[0].value if len(bindings) == 1 else None
        return _class_made_by(program, only) if isinstance(only, cst.Call) else None
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Name):
        return None
    bindings = program.bindings(node.func)
    definition = bindings[0].node if len(bindings) == 1 else None
    return definition if isinstance(definition, cst.ClassDef) and not definition.decorators else None


def class_of_self(program: Program, node: cst.CSTNode) -> cst.ClassDef | None:
    """The class in whose methods `self.name` stands."""
    if not isinstance(node, cst.Attribute) or not isinstance(node.value, cst.Name) or node.value.value != "self":
        return None
    return program.enclosing(node, cst.ClassDef)
