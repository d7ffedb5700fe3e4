"""What flows where: which values each statement and each call puts into variables, attributes and containers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import own_returns
from migrate_trainers.rules.lightning.tracing.callables import decorators
from migrate_trainers.rules.lightning.tracing.containers import ADDERS, EXTENDERS
from migrate_trainers.rules.lightning.tracing.places import AttributeOf, Held, Places, Returned, Variable
from migrate_trainers.rules.lightning.tracing.possible import (
    OTHER,
    Class,
    Config,
    Else,
    Instance,
    Items,
    Origins,
    union,
)

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.lightning.tracing.evaluation import Evaluation
    from migrate_trainers.rules.lightning.tracing.possible import Possibilities, Possible


class Assignments:
    """Takes the nodes of a program one by one; configurations that update each other share an origin from then on."""

    def __init__(self, program: Program, places: Places, evaluation: Evaluation, origins: Origins) -> None:
        self._program = program
        self._places = places
        self._of = evaluation.of
        self._callables = evaluation.callables
        self._origins = origins

    def take(self, node: cst.CSTNode) -> None:
        """Put into places what one statement or expression puts there."""
        flow = getattr(self, f"_flow_{type(node).__name__}", None)
        if flow is not None:
            flow(node)

    def _flow_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._assign(target.target, self._of(node.value), node)

    def _flow_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._assign(node.target, self._of(node.value), node)

    def _flow_AugAssign(self, node: cst.AugAssign) -> None:
        self._assign(node.target, self._of(node.target) | self._of(node.value), node)

    def _flow_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._assign(node.target, self._of(node.value), node)

    def _flow_For(self, node: cst.For | cst.CompFor) -> None:
        self._assign(node.target, self._places.elements(self._of(node.iter)), node)

    _flow_CompFor = _flow_For

    def _flow_AsName(self, node: cst.AsName) -> None:
        self._assign(node.name, OTHER, node)

    def _flow_Return(self, node: cst.Return) -> None:
        function = self._program.enclosing(node, cst.FunctionDef)
        self._places.put(Returned(function), self._of(node.value) if node.value is not None else frozenset({Else.NONE}))

    def _flow_Yield(self, node: cst.Yield) -> None:
        function = self._program.enclosing(node, cst.FunctionDef)
        value = node.value
        if function is None or value is None:
            return
        given = self._places.elements(self._of(value.item)) if isinstance(value, cst.From) else self._of(value)
        self._places.put(Held(Items(function, "yielded")), given)

    def _flow_Lambda(self, node: cst.Lambda) -> None:
        self._places.put(Returned(node), self._of(node.body))
        self._defaults(node.params)

    def _flow_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._defaults(node.params)
        owner = self._callables.class_of(node)
        first = next(iter((*node.params.posonly_params, *node.params.params)), None)
        if owner is not None and first is not None and "staticmethod" not in decorators(node):
            is_class = "classmethod" in decorators(node) or node.name.value in ("__new__", "__init_subclass__")
            family = self._callables.family(owner)
            self._assign(first.name, frozenset({Class(family) if is_class else Instance(family)}), first)
        if not own_returns(node.body):
            self._places.put(Returned(node), frozenset({Else.NONE}))

    def _defaults(self, parameters: cst.Parameters) -> None:
        for parameter in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params):
            if parameter.default is not None:
                self._assign(parameter.name, self._of(parameter.default), parameter)
        if isinstance(parameters.star_arg, cst.Param):
            self._assign(parameters.star_arg.name, frozenset({Items(parameters.star_arg)}), parameters.star_arg)
        if parameters.star_kwarg is not None:
            keywords = frozenset({Items(parameters.star_kwarg, by_key=True)})
            self._assign(parameters.star_kwarg.name, keywords, parameters.star_kwarg)

    def _flow_List(self, node: cst.List | cst.Set) -> None:
        for element in node.elements:
            self._places.put(Held(Items(node)), self._of_element(element))

    _flow_Set = _flow_List

    def _flow_Tuple(self, node: cst.Tuple) -> None:
        for value in self._of(node):
            assert isinstance(value, Items)
            for index, element in enumerate(node.elements):
                self._places.put(Held(value, index if value.fields else None), self._of_element(element))

    def _of_element(self, element: cst.BaseElement) -> Possibilities:
        """What a display holds for one of its elements."""
        given = self._of(element.value)
        return self._places.elements(given) if isinstance(element, cst.StarredElement) else given

    def _flow_Dict(self, node: cst.Dict) -> None:
        container = Items(node, by_key=True)
        for entry in node.elements:
            if isinstance(entry, cst.DictElement):
                self._places.put(Held(container), self._of(entry.value))
            else:
                held = [self._places.items(value) for value in self._of(entry.value) if isinstance(value, Items)]
                self._places.put(Held(container), union(held))

    def _flow_ListComp(self, node: cst.ListComp | cst.SetComp | cst.GeneratorExp) -> None:
        self._places.put(Held(Items(node)), self._of(node.elt))

    _flow_SetComp = _flow_GeneratorExp = _flow_ListComp

    def _flow_DictComp(self, node: cst.DictComp) -> None:
        self._places.put(Held(Items(node, by_key=True)), self._of(node.value))

    def _flow_Call(self, node: cst.Call) -> None:
        for argument in node.args:
            for parameter in self._callables.parameters(node, argument) or ():
                if parameter.star:
                    self._places.put(Held(Items(parameter, by_key=parameter.star == "**")), self._of(argument.value))
                else:
                    self._assign(parameter.name, self._of(argument.value), parameter)
        if isinstance(node.func, cst.Attribute):
            self._flow_into_containers(node.func, node)
        elif isinstance(node.func, cst.Name) and not self._program.bindings(node.func):
            self._flow_through_builtin(node.func.value, node)

    def _flow_into_containers(self, function: cst.Attribute, call: cst.Call) -> None:
        name = function.attr.value
        for value in self._of(function.value):
            if isinstance(value, Config) and name == "update":
                given = [found for argument in call.args for found in self._of(argument.value)]
                self._origins.together([value.origin, *(found.origin for found in given if isinstance(found, Config))])
            if not isinstance(value, Items):
                continue
            for argument in call.args:
                given_here = self._of(argument.value)
                if name in ADDERS or (name in EXTENDERS and argument.keyword is not None):
                    self._places.put(Held(value), given_here)
                elif name in EXTENDERS:
                    held = [self._places.items(one) for one in given_here if isinstance(one, Items)]
                    self._places.put(Held(value), union(held))
            if name == "values":
                self._places.put(Held(Items(call)), self._places.items(value))
            elif name == "items":
                pair = Items(call, "pair", fields=2)
                self._places.put(Held(pair, 1), self._places.items(value))
                self._places.put(Held(pair, 0), OTHER)
                self._places.put(Held(Items(call)), frozenset({pair}))

    def _flow_through_builtin(self, name: str, call: cst.Call) -> None:
        if name == "dict":
            for argument in call.args:
                if argument.keyword is not None:
                    self._places.put(Held(Items(call, by_key=True)), self._of(argument.value))
                else:
                    for pair in self._places.elements(self._of(argument.value)):
                        if isinstance(pair, Items):
                            values = self._places.items(pair, 1 if pair.fields else None)
                            self._places.put(Held(Items(call, by_key=True)), values)
        elif name in ("enumerate", "zip") and call.args:
            sources = [self._places.elements(self._of(argument.value)) for argument in call.args]
            fields = [OTHER, sources[0]] if name == "enumerate" else sources
            pair = Items(call, "pair", fields=len(fields))
            for index, field in enumerate(fields):
                self._places.put(Held(pair, index), field)
            self._places.put(Held(Items(call)), frozenset({pair}))

    def _assign(self, target: cst.CSTNode, values: Possibilities, node: cst.CSTNode) -> None:
        if isinstance(target, cst.Name):
            for binding in self._bindings_at.get((node, target.value), ()):
                self._places.put(Variable(binding), values)
                if binding.scope.is_class and isinstance(binding.scope.node, cst.ClassDef):
                    family = self._callables.family(binding.scope.node)
                    self._places.put(AttributeOf(family, target.value), values)
        elif isinstance(target, cst.Attribute):
            for receiver in self._of(target.value):
                if isinstance(receiver, Instance | Class):
                    self._places.put(AttributeOf(receiver.family, target.attr.value), values)
        elif isinstance(target, cst.Subscript):
            for container in self._of(target.value):
                if isinstance(container, Items):
                    self._places.put(Held(container), values)
        elif isinstance(target, cst.Tuple | cst.List):
            for index, element in enumerate(target.elements):
                self._assign(element.value, self._field(values, index, len(target.elements)), node)

    def _field(self, values: Possibilities, index: int, count: int) -> Possibilities:
        found: set[Possible] = set()
        for value in values:
            if isinstance(value, Items) and not value.by_key:
                found |= self._places.items(value, index if value.fields == count else None)
            else:
                found.add(Else.OTHER)
        return frozenset(found)

    @cached_property
    def _bindings_at(self) -> dict[tuple[cst.CSTNode, str], list[Binding]]:
        found: dict[tuple[cst.CSTNode, str], list[Binding]] = {}
        for binding in self._program.all_bindings():
            found.setdefault((binding.node, binding.name), []).append(binding)
        return found
