"""The classes and functions of a program: which of them a call reaches, and which parameters its arguments bind."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.rules.lightning.tracing.possible import Class, Instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.lightning.tracing.possible import Possibilities

Function = cst.FunctionDef | cst.Lambda
# Decorators that leave what a function takes and returns as it is.
_PLAIN_DECORATORS = frozenset(
    {"staticmethod", "classmethod", "property", "cached_property", "abstractmethod", "override", "cache", "lru_cache"}
)
_PROPERTIES = frozenset({"property", "cached_property"})


class Callables:
    """What is defined in a program and can be called; `of` says what the receiver of a method may be."""

    def __init__(
        self, program: Program, nodes: Sequence[cst.CSTNode], of: Callable[[cst.BaseExpression], Possibilities]
    ) -> None:
        self._program = program
        self._nodes = nodes
        self._of = of

    @cached_property
    def _families(self) -> dict[cst.ClassDef, cst.ClassDef]:
        """Each class with one that stands for all classes related to it within the file."""
        families = {node: node for node in self._nodes if isinstance(node, cst.ClassDef)}
        for node in list(families):
            for base in node.bases:
                for binding in self._program.named(base.value):
                    if isinstance(binding.node, cst.ClassDef):
                        old, new = families[node], families[binding.node]
                        families = {one: new if root is old else root for one, root in families.items()}
        return families

    @cached_property
    def _methods(self) -> dict[tuple[cst.ClassDef, str], list[cst.FunctionDef]]:
        methods: dict[tuple[cst.ClassDef, str], list[cst.FunctionDef]] = {}
        for node, family in self._families.items():
            for bindings in self._program.scope(node.body).bindings.values():
                for binding in bindings:
                    if isinstance(binding.node, cst.FunctionDef):
                        methods.setdefault((family, binding.name), []).append(binding.node)
        return methods

    def family(self, node: cst.ClassDef) -> cst.ClassDef:
        """The class that stands for one and for all classes related to it."""
        return self._families[node]

    def all_methods(self) -> Iterator[tuple[str, cst.FunctionDef]]:
        for (_, name), methods in self._methods.items():
            for method in methods:
                yield name, method

    def methods(self, family: cst.ClassDef, name: str) -> list[cst.FunctionDef]:
        """The methods of a name that the classes of a family have."""
        return self._methods.get((family, name), [])

    def class_of(self, function: cst.CSTNode) -> cst.ClassDef | None:
        """The class in whose body a function is defined."""
        if not isinstance(function, cst.FunctionDef):
            return None
        above = self._program.enclosing(function, (cst.FunctionDef, cst.ClassDef, cst.Lambda))
        return above if isinstance(above, cst.ClassDef) else None

    def callees(self, call: cst.Call) -> list[tuple[Function, int]] | None:
        """The file's functions that a call may reach, each with how many parameters the receiver takes."""
        found: list[tuple[Function, int]] = []
        if isinstance(call.func, cst.Lambda):
            return [(call.func, 0)]
        if isinstance(call.func, cst.Attribute) and not self._program.named(call.func):
            for value in self._of(call.func.value):
                if not isinstance(value, Instance | Class):
                    return None
                methods = self.methods(value.family, call.func.attr.value)
                found += [(method, self._receivers(method, value)) for method in methods]
            return found if found and all(is_plain(function) for function, _ in found) else None
        for binding in self._program.named(call.func):
            if isinstance(binding.node, cst.FunctionDef) or isinstance(binding.value, cst.Lambda):
                function = binding.node if isinstance(binding.node, cst.FunctionDef) else binding.value
                assert isinstance(function, Function)
                found.append((function, 0))
            elif isinstance(binding.node, cst.ClassDef):
                constructors = self.methods(self.family(binding.node), "__init__")
                if not constructors:
                    return None
                found += [(constructor, 1) for constructor in constructors]
            else:
                return None
        return found if found and all(is_plain(function) for function, _ in found) else None

    def constructs(self, call: cst.Call) -> bool:
        """Whether a call names a class of the program."""
        return any(isinstance(binding.node, cst.ClassDef) for binding in self._program.named(call.func))

    @staticmethod
    def _receivers(method: cst.FunctionDef, value: Instance | Class) -> int:
        names = decorators(method)
        if "staticmethod" in names:
            return 0
        return 1 if isinstance(value, Instance) or "classmethod" in names else 0

    def parameters(self, call: cst.Call, argument: cst.Arg) -> list[cst.Param] | None:
        """The parameters that an argument of a call binds, one of each function that it may reach."""
        callees = self.callees(call)
        if callees is None or argument.star:
            return None
        found = []
        for function, skipped in callees:
            parameter = _parameter(function.params, call, argument, skipped)
            if parameter is None:
                return None
            found.append(parameter)
        return found

    def parameters_of(self, function: Function) -> list[Binding]:
        """The bindings of a function's parameters in its body."""
        scope = self._program.scope(function.body)
        return [
            binding
            for bindings in scope.bindings.values()
            for binding in bindings
            if binding.kind is BindingKind.PARAMETER
        ]

    def yields(self, function: cst.FunctionDef) -> bool:
        """Whether a function is a generator."""
        return function in self._generators

    @cached_property
    def _generators(self) -> set[cst.CSTNode | None]:
        kinds = (cst.FunctionDef, cst.Lambda)
        return {self._program.enclosing(node, kinds) for node in self._nodes if isinstance(node, cst.Yield)}


def is_plain(function: Function) -> bool:
    """Whether calling a function gives what its `return` gives."""
    return isinstance(function, cst.Lambda) or set(decorators(function)) <= _PLAIN_DECORATORS


def is_property(function: cst.FunctionDef) -> bool:
    return not _PROPERTIES.isdisjoint(decorators(function))


def decorators(function: cst.FunctionDef) -> list[str]:
    """The last parts of the decorators' names."""
    found = []
    for decorator in function.decorators:
        node: cst.BaseExpression = decorator.decorator
        if isinstance(node, cst.Call):
            node = node.func
        name = node.attr if isinstance(node, cst.Attribute) else node
        found.append(name.value if isinstance(name, cst.Name) else "?")
    return found


def _parameter(parameters: cst.Parameters, call: cst.Call, argument: cst.Arg, skipped: int) -> cst.Param | None:
    positional = [*parameters.posonly_params, *parameters.params]
    if argument.keyword is not None:
        named = [*parameters.params, *parameters.kwonly_params]
        found = next((one for one in named if one.name.value == argument.keyword.value), None)
        return found or parameters.star_kwarg
    before = call.args[: next(index for index, one in enumerate(call.args) if one is argument)]
    if any(one.star == "*" for one in before):
        return None
    index = len(before) + skipped
    if index < len(positional):
        return positional[index]
    return parameters.star_arg if isinstance(parameters.star_arg, cst.Param) else None
