"""Following builders and configurations through a file, without regard to the order in which its functions run.

Every variable, attribute, parameter, return value and container holds whatever is put there anywhere; a local
variable holds only what reaches the place where it is read. Assignments are gone through until nothing is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.rules.lightning.builder import METHODS, MethodCall, is_build
from migrate_trainers.rules.lightning.tracing.assignments import Assignments
from migrate_trainers.rules.lightning.tracing.evaluation import Evaluation
from migrate_trainers.rules.lightning.tracing.places import Places, Returned, Variable
from migrate_trainers.rules.lightning.tracing.possible import Builder, Config, Items, Origins, union

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.lightning.tracing.callables import Callables
    from migrate_trainers.rules.lightning.tracing.possible import Possibilities


class Trace:
    """What each expression of a program may be; `origins` says which configurations can't be told apart."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.origins = Origins()
        self.nodes = [node for module in program.modules for node in _walk(module)]
        self.places = Places()
        self._evaluation = Evaluation(program, self.nodes, self.places)
        self._assign()
        for node in self.expressions():
            self.origins.together(self.origins_of(self.of(node)))

    def _assign(self) -> None:
        """Fill the places, until going through the program adds nothing to them."""
        assignments = Assignments(self.program, self.places, self._evaluation, self.origins)
        before = None
        while before != self.places.count:
            before = self.places.count
            self._evaluation.forget()
            for node in self.nodes:
                assignments.take(node)

    @property
    def callables(self) -> Callables:
        return self._evaluation.callables

    def expressions(self) -> Iterator[cst.BaseExpression]:
        """Every expression that is evaluated: no assignment's target, no keyword."""
        for node in self.nodes:
            if not isinstance(node, cst.BaseExpression):
                continue
            if isinstance(node, cst.Name) and node not in self.program.names:
                continue
            yield node

    def of(self, node: cst.BaseExpression) -> Possibilities:
        """What an expression may be; nothing where no value is seen to reach it."""
        return self._evaluation.of(node)

    def split_chain(self, node: cst.BaseExpression) -> tuple[cst.BaseExpression, list[MethodCall]]:
        """Split `root.module(…).trainer(…)` into its root and its calls on a builder, first call first."""
        calls: list[MethodCall] = []
        while (
            isinstance(node, cst.Call)
            and isinstance(node.func, cst.Attribute)
            and node.func.attr.value in METHODS
            and any(isinstance(value, Builder) for value in self.of(node.func.value))
        ):
            calls.insert(0, MethodCall(node.func.attr.value, node, self.program.statement(node)))
            node = node.func.value
        return node, calls

    def builds(self, node: cst.BaseExpression) -> bool:
        """Whether an expression is `builder.build()`."""
        if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute) or not is_build(node):
            return False
        return any(isinstance(value, Builder) for value in self.of(node.func.value))

    def origins_of(self, values: Iterable[object]) -> set[cst.CSTNode]:
        """The origins of the configurations among some values, or in the containers among them."""
        found: set[cst.CSTNode] = set()
        pending, seen = list(values), set()
        while pending:
            value = pending.pop()
            if value in seen:
                continue
            seen.add(value)
            if isinstance(value, Builder | Config):
                found.add(value.origin)
            elif isinstance(value, Items):
                pending += self.places.items(value)
        return found

    def carried_attributes(self) -> Iterator[tuple[str, Possibilities]]:
        """The attributes and methods of the file's classes, with what reading them (or calling them) gives."""
        for attribute, values in self.places.attributes():
            yield attribute.name, values
        for name, method in self.callables.all_methods():
            taken = union(self.places.of(Variable(binding)) for binding in self.callables.parameters_of(method))
            yield name, self.places.of(Returned(method)) | taken


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _walk(child)
