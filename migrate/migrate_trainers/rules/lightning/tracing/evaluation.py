"""What an expression may be, given what the places hold that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import Binding, BindingKind
from migrate_trainers.rules.lightning.builder import METHODS, is_builder_call
from migrate_trainers.rules.lightning.tracing.callables import Callables, Function, is_property
from migrate_trainers.rules.lightning.tracing.containers import COPIES, GETTERS, SAME_ITEMS
from migrate_trainers.rules.lightning.tracing.keys import KEYS, literal_keys
from migrate_trainers.rules.lightning.tracing.places import AttributeOf, Places, Returned, Variable
from migrate_trainers.rules.lightning.tracing.possible import (
    NOTHING,
    OTHER,
    Builder,
    Class,
    Config,
    Else,
    Instance,
    Items,
    union,
)
from migrate_trainers.rules.lightning.tracing.reaching import reaching

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.lightning.tracing.possible import Possibilities, Possible


class Evaluation:
    """Evaluates the expressions of a program, each once; `forget` has to be called when the places hold more."""

    def __init__(self, program: Program, nodes: Sequence[cst.CSTNode], places: Places) -> None:
        self._program = program
        self._places = places
        self.callables = Callables(program, nodes, self.of)
        self._known: dict[cst.CSTNode, Possibilities] = {}

    def forget(self) -> None:
        self._known = {}

    def of(self, node: cst.BaseExpression) -> Possibilities:
        """What an expression may be; nothing where no value is seen to reach it."""
        if node not in self._known:
            # A variable that is read while it is computed adds nothing in this turn.
            self._known[node] = NOTHING
            self._known[node] = self._evaluate(node)
        return self._known[node]

    def _evaluate(self, node: cst.BaseExpression) -> Possibilities:
        evaluate = getattr(self, f"_{type(node).__name__}", None)
        return evaluate(node) if evaluate is not None else OTHER

    def _Name(self, node: cst.Name) -> Possibilities:
        if self._program.is_builtin(node, "None"):
            return frozenset({Else.NONE})
        if not self._program.bindings(node):
            return OTHER
        return union(self._of_binding(binding) for binding in reaching(self._program, node))

    def _of_binding(self, binding: Binding) -> Possibilities:
        if isinstance(binding.node, cst.ClassDef):
            return frozenset({Class(self.callables.family(binding.node))})
        if binding.kind in (BindingKind.IMPORT, BindingKind.FUNCTION):
            return OTHER
        return self._places.of(Variable(binding))

    def _Attribute(self, node: cst.Attribute) -> Possibilities:
        if bindings := self._program.named(node):
            return union(self._of_binding(binding) for binding in bindings)
        found: set[Possible] = set()
        for value in self.of(node.value):
            if isinstance(value, Instance | Class):
                methods = self.callables.methods(value.family, node.attr.value)
                found |= self._places.of(AttributeOf(value.family, node.attr.value))
                found |= union(self._places.of(Returned(method)) for method in methods if is_property(method))
            elif value is not Else.NONE:
                found.add(Else.OTHER)
        return frozenset(found)

    def _Subscript(self, node: cst.Subscript) -> Possibilities:
        found: set[Possible] = set()
        index = node.slice[0].slice
        for value in self.of(node.value):
            if value is Else.NONE:
                continue
            if not isinstance(value, Items):
                found.add(Else.OTHER)
            elif not isinstance(index, cst.Index):
                found.add(value)
            else:
                number = index.value.evaluated_value if isinstance(index.value, cst.Integer) else None
                found |= self._places.items(value, number if number is not None and number < value.fields else None)
        return frozenset(found)

    def _Call(self, node: cst.Call) -> Possibilities:
        program = self._program
        if is_builder_call(program, node):
            return frozenset({Builder(node)})
        name = node.func.value if isinstance(node.func, cst.Name) and not program.bindings(node.func) else None
        first = self.of(node.args[0].value) if node.args and not node.args[0].star else NOTHING
        if name == "super":
            owner = program.enclosing(node, cst.ClassDef)
            return frozenset({Instance(self.callables.family(owner))}) if owner is not None else OTHER
        if program.qualified_name(node.func) in COPIES:
            return first
        if name == "dict":
            return self._made_dict(node, first)
        if name is not None:
            return self._of_builtin(name, node, first)
        callees = self.callables.callees(node)
        if callees is not None and not self.callables.constructs(node):
            return union(self._call_result(function) for function, _ in callees)
        if isinstance(node.func, cst.Attribute):
            return self._of_method(node.func, node)
        return self._constructed(node)

    def _call_result(self, function: Function) -> Possibilities:
        if isinstance(function, cst.FunctionDef) and self.callables.yields(function):
            return frozenset({Items(function, "yielded")})
        return self._places.of(Returned(function))

    def _constructed(self, node: cst.Call) -> Possibilities:
        classes = [binding.node for binding in self._program.named(node.func)]
        instances = {Instance(self.callables.family(one)) for one in classes if isinstance(one, cst.ClassDef)}
        return frozenset(instances) if instances else self._of_call_to_value(node)

    def _of_call_to_value(self, node: cst.Call) -> Possibilities:
        """`cls(...)`: a call of something that is a class of the file."""
        classes = {Instance(value.family) for value in self.of(node.func) if isinstance(value, Class)}
        return frozenset(classes) if classes else OTHER

    def _made_dict(self, node: cst.Call, first: Possibilities) -> Possibilities:
        if any(argument.keyword is not None and argument.keyword.value in KEYS for argument in node.args):
            return frozenset({Config(node)})
        same = {value for value in first if isinstance(value, Config) or (isinstance(value, Items) and value.by_key)}
        return frozenset(same or {Items(node, by_key=True)})

    def _of_builtin(self, name: str, node: cst.Call, first: Possibilities) -> Possibilities:
        if name in SAME_ITEMS:
            return frozenset(value for value in first if isinstance(value, Items) and not value.by_key) or OTHER
        if name == "next":
            return self._places.elements(first)
        if name in ("enumerate", "zip"):
            return frozenset({Items(node)})
        return OTHER

    def _of_method(self, function: cst.Attribute, call: cst.Call) -> Possibilities:
        name = function.attr.value
        found: set[Possible] = set()
        for value in self.of(function.value):
            if isinstance(value, Builder) and name in METHODS:
                found.add(value)
            elif isinstance(value, Builder) and name == "build":
                found.add(Config(value.origin))
            elif isinstance(value, Config | Items) and name == "copy":
                found.add(value)
            elif isinstance(value, Items) and name in GETTERS:
                found |= self._places.items(value)
            elif isinstance(value, Items) and name in ("values", "items"):
                found.add(Items(call))
            elif value is not Else.NONE:
                found.add(Else.OTHER)
        return frozenset(found)

    def _IfExp(self, node: cst.IfExp) -> Possibilities:
        return self.of(node.body) | self.of(node.orelse)

    def _BooleanOperation(self, node: cst.BooleanOperation) -> Possibilities:
        left = self.of(node.left)
        # `builder or LightningConfigBuilder()`: None is not what it gives.
        return (left - {Else.NONE} if isinstance(node.operator, cst.Or) else left) | self.of(node.right)

    def _BinaryOperation(self, node: cst.BinaryOperation) -> Possibilities:
        both = self.of(node.left) | self.of(node.right)
        configs = frozenset(value for value in both if isinstance(value, Config | Items))
        return configs if configs and isinstance(node.operator, cst.Add | cst.BitOr) else OTHER

    def _NamedExpr(self, node: cst.NamedExpr) -> Possibilities:
        return self.of(node.value)

    def _Await(self, node: cst.Await) -> Possibilities:
        return self.of(node.expression)

    def _Dict(self, node: cst.Dict) -> Possibilities:
        starred = [entry.value for entry in node.elements if isinstance(entry, cst.StarredDictElement)]
        configs = {value for inner in starred for value in self.of(inner) if isinstance(value, Config)}
        if configs or KEYS.keys() & literal_keys(node):
            return frozenset(configs or {Config(node)})
        return frozenset({Items(node, by_key=True)})

    def _Tuple(self, node: cst.Tuple) -> Possibilities:
        stars = any(isinstance(element, cst.StarredElement) for element in node.elements)
        return frozenset({Items(node, fields=0 if stars else len(node.elements))})

    def _items_made(self, node: cst.BaseExpression) -> Possibilities:
        return frozenset({Items(node, by_key=isinstance(node, cst.DictComp))})

    _List = _Set = _ListComp = _SetComp = _GeneratorExp = _DictComp = _items_made
