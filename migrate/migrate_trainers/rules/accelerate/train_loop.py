"""What stands behind `train_loop_per_worker`: a function, method, lambda or partial, in this file or another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from migrate_trainers.reading.program import Program

Definition = cst.FunctionDef | cst.Lambda
PARTIAL = "functools.partial"


@dataclass(frozen=True)
class TrainLoop:
    """A train loop as far as it can be seen: its definition, and the program that this is in.

    `parameters` are those that a worker's call can fill, without `self` and what a partial binds; None where the
    definition isn't in the tree.
    """

    definition: Definition | None = None
    program: Program | None = None
    parameters: tuple[cst.Param, ...] | None = None

    @property
    def takes_config(self) -> bool | None:
        """Whether AccelerateTrainer gave it the configuration."""
        return None if self.parameters is None else len(self.parameters) > 0

    @property
    def optional_config(self) -> cst.Param | None:
        """The configuration's parameter if it has a default: current Ray doesn't pass the configuration then."""
        one = self.parameters[0] if self.parameters else None
        return one if one is not None and (one.default is not None or one.star == "**") else None


def train_loop(program: Program, value: cst.BaseExpression) -> TrainLoop:
    """What an expression that is given as a train loop calls."""
    if isinstance(value, cst.Lambda):
        return TrainLoop(value, program, _parameters(value))
    if isinstance(value, cst.Call) and program.qualified_name(value.func) == PARTIAL and value.args:
        return _partial(program, value)
    if isinstance(value, cst.Attribute) and (method := _method(program, value)) is not None:
        return method
    found = list(program.definitions(value))
    if len(found) != 1:
        return TrainLoop()
    owner, binding = found[0]
    if isinstance(binding.node, cst.FunctionDef):
        return TrainLoop(binding.node, owner, _parameters(binding.node))
    if binding.kind is BindingKind.ASSIGNMENT and isinstance(binding.value, cst.Lambda | cst.Call | cst.Name):
        return train_loop(owner, binding.value)
    return TrainLoop()


def _parameters(function: Definition) -> tuple[cst.Param, ...]:
    given = function.params
    stars = [one for one in (given.star_arg, given.star_kwarg) if isinstance(one, cst.Param)]
    return (*given.posonly_params, *given.params, *stars, *given.kwonly_params)


def _partial(program: Program, call: cst.Call) -> TrainLoop:
    """The loop behind a partial, without the parameters that it binds."""
    inner = train_loop(program, call.args[0].value)
    if inner.parameters is None or any(argument.star for argument in call.args):
        return replace(inner, parameters=None)
    named = {argument.keyword.value for argument in call.args if argument.keyword is not None}
    positional = sum(argument.keyword is None for argument in call.args) - 1
    left = [parameter for parameter in inner.parameters[positional:] if parameter.name.value not in named]
    return replace(inner, parameters=tuple(left))


def _method(program: Program, value: cst.Attribute) -> TrainLoop | None:
    """The method that `self.train`, `job.train` or `Job.train` is, if only one class of the file has such a one."""
    owner = _class_of(program, value.value)
    if owner is None:
        return None
    methods = [
        binding.node
        for binding in program.scope(owner.body).bindings.get(value.attr.value, [])
        if binding.value is None
    ]
    if len(methods) != 1 or not isinstance(methods[0], cst.FunctionDef):
        return TrainLoop()
    method = methods[0]
    is_overridden = any(
        scope.is_class and value.attr.value in scope.bindings
        for scope in program.all_scopes()
        if scope.node is not owner
    )
    decorators = {one.decorator.value for one in method.decorators if isinstance(one.decorator, cst.Name)}
    is_bound = "staticmethod" not in decorators and (
        "classmethod" in decorators or not _names_class(program, value.value)
    )
    return TrainLoop(None if is_overridden else method, program, _parameters(method)[is_bound:])


def _names_class(program: Program, node: cst.BaseExpression) -> bool:
    return any(isinstance(binding.node, cst.ClassDef) for binding in program.named(node))


def _class_of(program: Program, node: cst.BaseExpression) -> cst.ClassDef | None:
    """The file's class that an expression names, or an object of which it is."""
    if isinstance(node, cst.Call):
        return _class_of(program, node.func) if _names_class(program, node.func) else None
    bindings = program.named(node)
    if len(bindings) != 1:
        return None
    binding = bindings[0]
    if isinstance(binding.node, cst.ClassDef):
        return binding.node
    if binding.kind is BindingKind.PARAMETER:
        method = binding.scope.node
        owner = program.enclosing(method, (cst.FunctionDef, cst.ClassDef, cst.Lambda))
        is_first = isinstance(method, cst.FunctionDef) and binding.node in _parameters(method)[:1]
        return owner if isinstance(owner, cst.ClassDef) and is_first else None
    return _class_of(program, binding.value) if isinstance(binding.value, cst.Call) else None


def owned_definitions(program: Program, loops: Iterable[cst.CSTNode]) -> list[cst.CSTNode]:
    """Train loops with the functions and classes of the file that nothing but they use."""
    owned = list(dict.fromkeys(loops))
    definitions = uses_by_definition(program)
    grows = True
    while grows:
        grows = False
        for node, uses in definitions.items():
            is_used = uses and all(any(program.contains(one, use) for one in owned) for use in uses)
            if is_used and node not in owned:
                owned.append(node)
                grows = True
    return owned


def reached_definitions(program: Program, loops: Iterable[cst.CSTNode]) -> list[cst.CSTNode]:
    """Train loops with all functions and classes of the file that they may call."""
    reached = list(dict.fromkeys(loops))
    definitions = uses_by_definition(program)
    for one in reached:
        for node, uses in definitions.items():
            if node not in reached and any(program.contains(one, use) for use in uses):
                reached.append(node)
    return reached


def uses_by_definition(program: Program) -> dict[cst.CSTNode, list[cst.CSTNode]]:
    """The functions and classes of a file, each with its uses; the uses of a method are all attributes of its name."""
    found: dict[cst.CSTNode, list[cst.CSTNode]] = {}
    for scope in program.all_scopes():
        for bindings in scope.bindings.values():
            for binding in bindings:
                if isinstance(binding.node, cst.FunctionDef | cst.ClassDef):
                    uses: list[cst.CSTNode] = list(program.uses(binding))
                    if scope.is_class:
                        uses += [one for one in program.attributes if one.attr.value == binding.name]
                    found[binding.node] = uses
    return found
