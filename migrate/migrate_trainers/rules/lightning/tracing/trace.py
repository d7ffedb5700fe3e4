"""Following builders and configurations through a file, without regard to the order in which its functions run.

Every variable, attribute, parameter, return value and container holds whatever is put there anywhere; a local
variable holds only what reaches the place where it is read. Assignments are gone through until nothing is added.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import Binding, BindingKind, own_returns
from migrate_trainers.rules.lightning.builder import METHODS, MethodCall, is_build, is_builder_call
from migrate_trainers.rules.lightning.tracing.keys import KEYS, literal_keys
from migrate_trainers.rules.lightning.tracing.possible import (
    NOTHING,
    OTHER,
    Builder,
    Class,
    Config,
    Else,
    Instance,
    Items,
    Origins,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Scope
    from migrate_trainers.rules.lightning.tracing.possible import Possibilities

Function = cst.FunctionDef | cst.Lambda
# Decorators that leave what a function takes and returns as it is.
_PLAIN_DECORATORS = frozenset(
    {"staticmethod", "classmethod", "property", "cached_property", "abstractmethod", "override", "cache", "lru_cache"}
)
_PROPERTIES = frozenset({"property", "cached_property"})
# Calls that give their first argument, a copy of it, or an iterator over it.
_SAME_ITEMS = frozenset({"list", "tuple", "sorted", "reversed", "set", "iter"})
COPIES = frozenset({"copy.copy", "copy.deepcopy"})
# Methods of containers that give one of the items, or put arguments among them.
GETTERS = frozenset({"get", "pop", "popleft", "popitem", "setdefault", "__getitem__"})
ADDERS = frozenset({"append", "appendleft", "add", "insert", "setdefault"})
EXTENDERS = frozenset({"extend", "update"})


class Trace:
    """What each expression of a program may be; `origins` says which configurations can't be told apart."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.origins = Origins()
        self.nodes = [node for module in program.modules for node in _walk(module)]
        self._held: defaultdict[Hashable, set[object]] = defaultdict(set)
        self._known: dict[cst.CSTNode, Possibilities] = {}
        self._grows = True
        while self._grows:
            self._grows = False
            self._known = {}
            for node in self.nodes:
                self._flow(node)
        for node in self.expressions():
            self.origins.together(self.origins_of(self.of(node)))

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
        if node not in self._known:
            # A variable that is read while it is computed adds nothing in this turn.
            self._known[node] = NOTHING
            self._known[node] = self._evaluate(node)
        return self._known[node]

    def items(self, container: Items, field: int | None = None) -> Possibilities:
        """What a container holds, or one field of a tuple does."""
        if container.fields and field is None:
            return self._union(self._held[container, index] for index in range(container.fields))
        return frozenset(self._held[container, field if container.fields else None])  # type: ignore[arg-type]

    def elements(self, values: Possibilities) -> Possibilities:
        """What iterating over one of some values gives."""
        found: set[object] = set()
        for value in values:
            if isinstance(value, Items) and not value.by_key:
                found |= self.items(value)
            else:
                found.add(Else.OTHER)
        return frozenset(found)  # type: ignore[arg-type]

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
                pending += self.items(value)
        return found

    def returned(self, function: Function) -> Possibilities:
        return frozenset(self._held["return", function])  # type: ignore[arg-type]

    def bound(self, binding: Binding) -> Possibilities:
        return frozenset(self._held["binding", binding])  # type: ignore[arg-type]

    def attribute(self, family: cst.ClassDef, name: str) -> Possibilities:
        return frozenset(self._held["attribute", family, name])  # type: ignore[arg-type]

    def carried_attributes(self) -> Iterator[tuple[str, Possibilities]]:
        """The attributes and methods of the file's classes, with what reading them (or calling them) gives."""
        for place, values in list(self._held.items()):
            if isinstance(place, tuple) and place[0] == "attribute":
                yield place[2], frozenset(values)  # type: ignore[arg-type]
        for (_, name), methods in self._methods.items():
            for method in methods:
                taken = self._union(self._held["binding", binding] for binding in self._parameters_of(method))
                yield name, self.returned(method) | taken

    # Classes and functions

    @cached_property
    def _families(self) -> dict[cst.ClassDef, cst.ClassDef]:
        """Each class with one that stands for all classes related to it within the file."""
        families = {node: node for node in self.nodes if isinstance(node, cst.ClassDef)}
        for node in list(families):
            for base in node.bases:
                for binding in self._bindings(base.value):
                    if isinstance(binding.node, cst.ClassDef):
                        old, new = families[node], families[binding.node]
                        families = {one: new if root is old else root for one, root in families.items()}
        return families

    @cached_property
    def _methods(self) -> dict[tuple[cst.ClassDef, str], list[cst.FunctionDef]]:
        methods: dict[tuple[cst.ClassDef, str], list[cst.FunctionDef]] = {}
        for node, family in self._families.items():
            for bindings in self.program.scope(node.body).bindings.values():
                for binding in bindings:
                    if isinstance(binding.node, cst.FunctionDef):
                        methods.setdefault((family, binding.name), []).append(binding.node)
        return methods

    def methods(self, family: cst.ClassDef, name: str) -> list[cst.FunctionDef]:
        return self._methods.get((family, name), [])

    def class_of(self, function: cst.CSTNode) -> cst.ClassDef | None:
        """The class in whose body a function is defined."""
        if not isinstance(function, cst.FunctionDef):
            return None
        above = self.program.enclosing(function, (cst.FunctionDef, cst.ClassDef, cst.Lambda))
        return above if isinstance(above, cst.ClassDef) else None

    def callees(self, call: cst.Call) -> list[tuple[Function, int]] | None:
        """The file's functions that a call may reach, each with how many parameters the receiver takes."""
        found: list[tuple[Function, int]] = []
        if isinstance(call.func, cst.Lambda):
            return [(call.func, 0)]
        if isinstance(call.func, cst.Attribute) and not self._bindings(call.func):
            for value in self.of(call.func.value):
                if not isinstance(value, Instance | Class):
                    return None
                methods = self.methods(value.family, call.func.attr.value)
                found += [(method, self._receivers(method, value)) for method in methods]
            return found if found and all(is_plain(function) for function, _ in found) else None
        for binding in self._bindings(call.func):
            if isinstance(binding.node, cst.FunctionDef) or isinstance(binding.value, cst.Lambda):
                function = binding.node if isinstance(binding.node, cst.FunctionDef) else binding.value
                assert isinstance(function, Function)
                found.append((function, 0))
            elif isinstance(binding.node, cst.ClassDef):
                constructors = self.methods(self._families[binding.node], "__init__")
                if not constructors:
                    return None
                found += [(constructor, 1) for constructor in constructors]
            else:
                return None
        return found if found and all(is_plain(function) for function, _ in found) else None

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

    def _parameters_of(self, function: Function) -> list[Binding]:
        scope = self.program.scope(function.body)
        return [
            binding
            for bindings in scope.bindings.values()
            for binding in bindings
            if binding.kind is BindingKind.PARAMETER
        ]

    # Evaluating

    def _evaluate(self, node: cst.BaseExpression) -> Possibilities:
        evaluate = getattr(self, f"_{type(node).__name__}", None)
        return evaluate(node) if evaluate is not None else OTHER

    def _Name(self, node: cst.Name) -> Possibilities:
        if self.program.is_builtin(node, "None"):
            return frozenset({Else.NONE})
        if not self.program.bindings(node):
            return OTHER
        return self._union(self._of_binding(binding) for binding in self.reaching(node))

    def _of_binding(self, binding: Binding) -> Possibilities:
        if isinstance(binding.node, cst.ClassDef):
            return frozenset({Class(self._families[binding.node])})
        if binding.kind in (BindingKind.IMPORT, BindingKind.FUNCTION):
            return OTHER
        return self.bound(binding)

    def _Attribute(self, node: cst.Attribute) -> Possibilities:
        if bindings := self._bindings(node):
            return self._union(self._of_binding(binding) for binding in bindings)
        found: set[object] = set()
        for value in self.of(node.value):
            if isinstance(value, Instance | Class):
                methods = self.methods(value.family, node.attr.value)
                found |= self.attribute(value.family, node.attr.value)
                found |= self._union(
                    self.returned(method) for method in methods if _PROPERTIES & set(decorators(method))
                )
            elif value is not Else.NONE:
                found.add(Else.OTHER)
        return frozenset(found)  # type: ignore[arg-type]

    def _Subscript(self, node: cst.Subscript) -> Possibilities:
        found: set[object] = set()
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
                found |= self.items(value, number if number is not None and number < value.fields else None)
        return frozenset(found)  # type: ignore[arg-type]

    def _Call(self, node: cst.Call) -> Possibilities:
        program = self.program
        if is_builder_call(program, node):
            return frozenset({Builder(node)})
        name = node.func.value if isinstance(node.func, cst.Name) and not program.bindings(node.func) else None
        first = self.of(node.args[0].value) if node.args and not node.args[0].star else NOTHING
        if name == "super":
            owner = program.enclosing(node, cst.ClassDef)
            return frozenset({Instance(self._families[owner])}) if owner is not None else OTHER
        if program.qualified_name(node.func) in COPIES:
            return first
        if name == "dict":
            return self._made_dict(node, first)
        if name is not None:
            return self._of_builtin(name, node, first)
        callees = self.callees(node)
        if callees is not None and not self._constructs(node):
            return self._union(self._call_result(function) for function, _ in callees)
        if isinstance(node.func, cst.Attribute):
            return self._of_method(node.func, node)
        return self._constructed(node)

    def _call_result(self, function: Function) -> Possibilities:
        if isinstance(function, cst.FunctionDef) and self._yields(function):
            return frozenset({Items(function, "yielded")})
        return self.returned(function)

    def _yields(self, function: cst.FunctionDef) -> bool:
        return function in self._generators

    @cached_property
    def _generators(self) -> set[cst.CSTNode | None]:
        kinds = (cst.FunctionDef, cst.Lambda)
        return {self.program.enclosing(node, kinds) for node in self.nodes if isinstance(node, cst.Yield)}

    def _constructs(self, node: cst.Call) -> bool:
        return any(isinstance(binding.node, cst.ClassDef) for binding in self._bindings(node.func))

    def _constructed(self, node: cst.Call) -> Possibilities:
        classes = [binding.node for binding in self._bindings(node.func)]
        instances = {Instance(self._families[one]) for one in classes if isinstance(one, cst.ClassDef)}
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
        if name in _SAME_ITEMS:
            return frozenset(value for value in first if isinstance(value, Items) and not value.by_key) or OTHER
        if name == "next":
            return self.elements(first)
        if name in ("enumerate", "zip"):
            return frozenset({Items(node)})
        return OTHER

    def _of_method(self, function: cst.Attribute, call: cst.Call) -> Possibilities:
        name = function.attr.value
        found: set[object] = set()
        for value in self.of(function.value):
            if isinstance(value, Builder) and name in METHODS:
                found.add(value)
            elif isinstance(value, Builder) and name == "build":
                found.add(Config(value.origin))
            elif isinstance(value, Config | Items) and name == "copy":
                found.add(value)
            elif isinstance(value, Items) and name in GETTERS:
                found |= self.items(value)
            elif isinstance(value, Items) and name in ("values", "items"):
                found.add(Items(call))
            elif value is not Else.NONE:
                found.add(Else.OTHER)
        return frozenset(found)  # type: ignore[arg-type]

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

    # What flows where

    def _flow(self, node: cst.CSTNode) -> None:
        flow = getattr(self, f"_flow_{type(node).__name__}", None)
        if flow is not None:
            flow(node)

    def _flow_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._assign(target.target, self.of(node.value), node)

    def _flow_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._assign(node.target, self.of(node.value), node)

    def _flow_AugAssign(self, node: cst.AugAssign) -> None:
        self._assign(node.target, self.of(node.target) | self.of(node.value), node)

    def _flow_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._assign(node.target, self.of(node.value), node)

    def _flow_For(self, node: cst.For | cst.CompFor) -> None:
        self._assign(node.target, self.elements(self.of(node.iter)), node)

    _flow_CompFor = _flow_For

    def _flow_AsName(self, node: cst.AsName) -> None:
        self._assign(node.name, OTHER, node)

    def _flow_Return(self, node: cst.Return) -> None:
        function = self.program.enclosing(node, cst.FunctionDef)
        self._put(("return", function), self.of(node.value) if node.value is not None else frozenset({Else.NONE}))

    def _flow_Yield(self, node: cst.Yield) -> None:
        function = self.program.enclosing(node, cst.FunctionDef)
        if function is None or node.value is None:
            return
        given = self.elements(self.of(node.value.item)) if isinstance(node.value, cst.From) else self.of(node.value)
        self._put((Items(function, "yielded"), None), given)

    def _flow_Lambda(self, node: cst.Lambda) -> None:
        self._put(("return", node), self.of(node.body))
        self._defaults(node.params)

    def _flow_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._defaults(node.params)
        owner = self.class_of(node)
        first = next(iter((*node.params.posonly_params, *node.params.params)), None)
        if owner is not None and first is not None and "staticmethod" not in decorators(node):
            is_class = "classmethod" in decorators(node) or node.name.value in ("__new__", "__init_subclass__")
            family = self._families[owner]
            self._assign(first.name, frozenset({Class(family) if is_class else Instance(family)}), first)
        if not own_returns(node.body):
            self._put(("return", node), frozenset({Else.NONE}))

    def _defaults(self, parameters: cst.Parameters) -> None:
        for parameter in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params):
            if parameter.default is not None:
                self._assign(parameter.name, self.of(parameter.default), parameter)
        if isinstance(parameters.star_arg, cst.Param):
            self._assign(parameters.star_arg.name, frozenset({Items(parameters.star_arg)}), parameters.star_arg)
        if parameters.star_kwarg is not None:
            keywords = frozenset({Items(parameters.star_kwarg, by_key=True)})
            self._assign(parameters.star_kwarg.name, keywords, parameters.star_kwarg)

    def _flow_List(self, node: cst.List | cst.Set) -> None:
        for element in node.elements:
            given = self.of(element.value)
            self._put((Items(node), None), self.elements(given) if isinstance(element, cst.StarredElement) else given)

    _flow_Set = _flow_List

    def _flow_Tuple(self, node: cst.Tuple) -> None:
        for value in self.of(node):
            assert isinstance(value, Items)
            for index, element in enumerate(node.elements):
                given = self.of(element.value)
                starred = isinstance(element, cst.StarredElement)
                self._put((value, index if value.fields else None), self.elements(given) if starred else given)

    def _flow_Dict(self, node: cst.Dict) -> None:
        container = Items(node, by_key=True)
        for entry in node.elements:
            if isinstance(entry, cst.DictElement):
                self._put((container, None), self.of(entry.value))
            else:
                held = [self.items(value) for value in self.of(entry.value) if isinstance(value, Items)]
                self._put((container, None), self._union(held))

    def _flow_ListComp(self, node: cst.ListComp | cst.SetComp | cst.GeneratorExp) -> None:
        self._put((Items(node), None), self.of(node.elt))

    _flow_SetComp = _flow_GeneratorExp = _flow_ListComp

    def _flow_DictComp(self, node: cst.DictComp) -> None:
        self._put((Items(node, by_key=True), None), self.of(node.value))

    def _flow_Call(self, node: cst.Call) -> None:
        for argument in node.args:
            for parameter in self.parameters(node, argument) or ():
                if parameter.star:
                    self._put((Items(parameter, by_key=parameter.star == "**"), None), self.of(argument.value))
                else:
                    self._assign(parameter.name, self.of(argument.value), parameter)
        if isinstance(node.func, cst.Attribute):
            self._flow_into_containers(node.func, node)
        elif isinstance(node.func, cst.Name) and not self.program.bindings(node.func):
            self._flow_through_builtin(node.func.value, node)

    def _flow_into_containers(self, function: cst.Attribute, call: cst.Call) -> None:
        name = function.attr.value
        for value in self.of(function.value):
            if isinstance(value, Config) and name == "update":
                given = [found for argument in call.args for found in self.of(argument.value)]
                self.origins.together([value.origin, *(found.origin for found in given if isinstance(found, Config))])
            if not isinstance(value, Items):
                continue
            for argument in call.args:
                given_here = self.of(argument.value)
                if name in ADDERS or (name in EXTENDERS and argument.keyword is not None):
                    self._put((value, None), given_here)
                elif name in EXTENDERS:
                    held = [self.items(one) for one in given_here if isinstance(one, Items)]
                    self._put((value, None), self._union(held))
            if name == "values":
                self._put((Items(call), None), self.items(value))
            elif name == "items":
                pair = Items(call, "pair", fields=2)
                self._put((pair, 1), self.items(value))
                self._put((pair, 0), OTHER)
                self._put((Items(call), None), frozenset({pair}))

    def _flow_through_builtin(self, name: str, call: cst.Call) -> None:
        if name == "dict":
            for argument in call.args:
                if argument.keyword is not None:
                    self._put((Items(call, by_key=True), None), self.of(argument.value))
                else:
                    for pair in self.elements(self.of(argument.value)):
                        if isinstance(pair, Items):
                            self._put((Items(call, by_key=True), None), self.items(pair, 1 if pair.fields else None))
        elif name in ("enumerate", "zip") and call.args:
            sources = [self.elements(self.of(argument.value)) for argument in call.args]
            fields = [OTHER, sources[0]] if name == "enumerate" else sources
            pair = Items(call, "pair", fields=len(fields))
            for index, field in enumerate(fields):
                self._put((pair, index), field)
            self._put((Items(call), None), frozenset({pair}))

    def _assign(self, target: cst.CSTNode, values: Possibilities, node: cst.CSTNode) -> None:
        if isinstance(target, cst.Name):
            for binding in self._bindings_at.get((node, target.value), ()):
                self._put(("binding", binding), values)
                if binding.scope.is_class and isinstance(binding.scope.node, cst.ClassDef):
                    self._put(("attribute", self._families[binding.scope.node], target.value), values)
        elif isinstance(target, cst.Attribute):
            for receiver in self.of(target.value):
                if isinstance(receiver, Instance | Class):
                    self._put(("attribute", receiver.family, target.attr.value), values)
        elif isinstance(target, cst.Subscript):
            for container in self.of(target.value):
                if isinstance(container, Items):
                    self._put((container, None), values)
        elif isinstance(target, cst.Tuple | cst.List):
            for index, element in enumerate(target.elements):
                self._assign(element.value, self._field(values, index, len(target.elements)), node)

    def _field(self, values: Possibilities, index: int, count: int) -> Possibilities:
        found: set[object] = set()
        for value in values:
            if isinstance(value, Items) and not value.by_key:
                found |= self.items(value, index if value.fields == count else None)
            else:
                found.add(Else.OTHER)
        return frozenset(found)  # type: ignore[arg-type]

    @cached_property
    def _bindings_at(self) -> dict[tuple[cst.CSTNode, str], list[Binding]]:
        found: dict[tuple[cst.CSTNode, str], list[Binding]] = {}
        for scope in self.program.all_scopes():
            for bindings in scope.bindings.values():
                for binding in bindings:
                    found.setdefault((binding.node, binding.name), []).append(binding)
        return found

    def _put(self, place: Hashable, values: Iterable[object]) -> None:
        held = self._held[place]
        before = len(held)
        held.update(values)
        self._grows = self._grows or len(held) > before

    @staticmethod
    def _union(sets: Iterable[Iterable[object]]) -> Possibilities:
        return frozenset(value for values in sets for value in values)  # type: ignore[misc]

    # Which assignment a variable's value comes from

    def _bindings(self, node: cst.BaseExpression) -> list[Binding]:
        return list(self.program.named(node))

    def reaching(self, name: cst.Name) -> list[Binding]:
        """The bindings whose value a name may read: all of the variable, unless some are surely replaced before."""
        program = self.program
        bindings = program.bindings(name)
        scope = _outside_comprehensions(program.scope(name))
        if len(bindings) < 2 or any(not self._is_own(binding, scope) for binding in bindings):
            return list(bindings)
        use = program.span(name)[0]
        found: list[Binding] = []
        last = None
        for binding in sorted(bindings, key=self._takes_effect, reverse=True):
            if self._takes_effect(binding) <= use and not self._is_head_behind(binding, name):
                found.append(binding)
                if self._is_always_made_before(binding, name):
                    last = binding
                    break
        loop = program.loop_around(name)
        while loop is not None and not (last is not None and program.contains(loop, last.node)):
            found += [binding for binding in bindings if program.contains(loop, binding.node) and binding not in found]
            loop = program.loop_around(loop)
        return found

    def _is_own(self, binding: Binding, scope: Scope) -> bool:
        if binding.scope is not scope:
            return False
        if binding.kind is BindingKind.PARAMETER:
            return True
        # A function that says `global` or `nonlocal` binds a variable from within.
        inner = self.program.scope(self.program.parent(binding.node) or binding.node)
        return _outside_comprehensions(inner) is scope

    def _takes_effect(self, binding: Binding) -> int:
        """From which offset on the variable holds what is bound."""
        node = binding.node
        if binding.kind is BindingKind.PARAMETER:
            return -1
        start, end = self.program.span(node)
        return start if isinstance(node, cst.For | cst.CompFor) else end

    def _is_head_behind(self, binding: Binding, name: cst.Name) -> bool:
        """Whether a loop binds its variable only after it has read a name in its head."""
        return isinstance(binding.node, cst.For) and self.program.contains(binding.node.iter, name)

    def _is_always_made_before(self, binding: Binding, name: cst.Name) -> bool:
        program, node = self.program, binding.node
        if binding.kind is BindingKind.PARAMETER:
            return True
        if isinstance(node, cst.For):
            return program.contains(node.body, name)
        if not isinstance(node, cst.Assign | cst.AnnAssign | cst.FunctionDef | cst.ClassDef | cst.ImportAlias):
            return False
        block = program.block(program.statement(node))
        inner = program.statement(name)
        if isinstance(block, cst.SimpleStatementSuite) or program.statement(node) is inner:
            return False
        # In a `try` that failed half way, the assignment may not have been reached.
        return program.contains(block, name)


def is_plain(function: Function) -> bool:
    """Whether calling a function gives what its `return` gives."""
    return isinstance(function, cst.Lambda) or set(decorators(function)) <= _PLAIN_DECORATORS


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


def is_trainer(program: Program, call: cst.Call) -> bool:
    return legacy.TRAINERS.get(program.qualified_name(call.func) or "") == legacy.LIGHTNING_TRAINER


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


def _outside_comprehensions(scope: Scope) -> Scope:
    while isinstance(scope.node, cst.BaseComp | cst.DictComp) and scope.parent is not None:
        scope = scope.parent
    return scope


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _walk(child)
