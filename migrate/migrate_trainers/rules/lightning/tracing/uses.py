"""Whether a file does with its configurations only what can be followed: anything else is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.legacy_uses import is_lightning_trainer
from migrate_trainers.rules.lightning.builder import METHODS, keyword
from migrate_trainers.rules.lightning.tracing.callables import is_plain, is_property
from migrate_trainers.rules.lightning.tracing.containers import ADDERS, COPIES, EXTENDERS, GETTERS
from migrate_trainers.rules.lightning.tracing.keys import KEYS
from migrate_trainers.rules.lightning.tracing.places import Returned, Variable
from migrate_trainers.rules.lightning.tracing.possible import Builder, Class, Config, Else, Instance, Items
from migrate_trainers.rules.literals import string

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.lightning.tracing.possible import Possibilities
    from migrate_trainers.rules.lightning.tracing.trace import Trace

# Builtins that look at a configuration without changing or keeping it, and those that take what holds some.
_LOOKS = frozenset({"print", "repr", "str", "id", "type", "bool", "isinstance"})
_TAKES_ITEMS = frozenset(
    {"len", "list", "tuple", "sorted", "reversed", "set", "iter", "next", "enumerate", "zip", "dict", "print"}
)
_READS = frozenset({"items", "keys", "values", "copy", "index", "count", "clear", "remove"})
_CONFIG_METHODS = frozenset({"copy", "get", "pop", "setdefault", "update"})


class Uses:
    """The uses of the configurations that belong together with one that an expression gives."""

    def __init__(self, trace: Trace, config: cst.BaseExpression) -> None:
        self.trace = trace
        self.program: Program = trace.program
        self.root = trace.origins.root(next(iter(trace.origins_of(trace.of(config)))))

    def check(self) -> None:
        """Raise `Refusal` for the first use that isn't understood."""
        for node in self.trace.expressions():
            values = self.trace.of(node)
            if self.concern(values):
                self._check_single(node, values)
                self._check_place(node, values)
        self._check_functions()
        self._check_attributes()

    def concern(self, values: Possibilities) -> bool:
        """Whether values may be, or hold, one of the configurations."""
        return any(self.trace.origins.root(origin) is self.root for origin in self.trace.origins_of(values))

    def holds(self, values: Possibilities, kind: type[Builder | Config]) -> bool:
        return any(isinstance(value, kind) for value in values) and self.concern(values)

    def _check_single(self, node: cst.BaseExpression, values: Possibilities) -> None:
        kinds = {type(value) for value in values if value is not Else.NONE}
        if len(kinds) > 1:
            raise Refusal("MT102", node, f"`{self.program.text(node)}` may also be something else here")

    # Where a configuration stands

    def _check_place(self, node: cst.BaseExpression, values: Possibilities) -> None:
        parent = self.program.parent(node)
        check = getattr(self, f"_in_{type(parent).__name__}", None)
        if check is None or not check(parent, node, values):
            raise Refusal("MT103", node, f"`{_short(self.program.text(node))}` is used in a way that isn't followed")

    def _always(self, parent: cst.CSTNode, node: cst.BaseExpression, values: Possibilities) -> bool:
        return True

    _in_Expr = _in_If = _in_While = _in_Assert = _in_BooleanOperation = _in_IfExp = _in_NamedExpr = _always
    _in_Param = _in_Element = _in_Await = _in_FormattedStringExpression = _in_AssignTarget = _always

    def _in_UnaryOperation(self, parent: cst.UnaryOperation, node: cst.BaseExpression, values: Possibilities) -> bool:
        return isinstance(parent.operator, cst.Not)

    def _in_Assign(self, parent: cst.Assign, node: cst.BaseExpression, values: Possibilities) -> bool:
        return all(self._is_followed(target.target, values) for target in parent.targets)

    def _in_AnnAssign(self, parent: cst.AnnAssign, node: cst.BaseExpression, values: Possibilities) -> bool:
        return node is parent.target or self._is_followed(parent.target, values)

    def _in_AugAssign(self, parent: cst.AugAssign, node: cst.BaseExpression, values: Possibilities) -> bool:
        return all(isinstance(value, Items) for value in values) and self._is_followed(parent.target, values)

    def _is_followed(self, target: cst.BaseExpression, values: Possibilities) -> bool:
        if isinstance(target, cst.Name):
            return True
        if isinstance(target, cst.Attribute):
            owners = self.trace.of(target.value)
            return bool(owners) and all(isinstance(owner, Instance | Class) for owner in owners)
        if isinstance(target, cst.Subscript):
            owners = self.trace.of(target.value)
            return bool(owners) and all(isinstance(owner, Items) for owner in owners)
        if isinstance(target, cst.Tuple | cst.List):
            stars = any(isinstance(element, cst.StarredElement) for element in target.elements)
            return not stars and all(isinstance(value, Items) for value in values)
        return False

    def _in_Return(self, parent: cst.Return, node: cst.BaseExpression, values: Possibilities) -> bool:
        return self._leaves_function(parent)

    def _in_Yield(self, parent: cst.Yield, node: cst.BaseExpression, values: Possibilities) -> bool:
        return self._leaves_function(parent)

    _in_From = _in_Yield

    def _leaves_function(self, node: cst.CSTNode) -> bool:
        function = self.program.enclosing(node, cst.FunctionDef)
        return function is not None and is_plain(function)

    def _in_Lambda(self, parent: cst.Lambda, node: cst.BaseExpression, values: Possibilities) -> bool:
        above = self.program.parent(parent)
        if not isinstance(above, cst.Assign) or not isinstance(above.targets[0].target, cst.Name):
            return False
        bindings = self.program.scope(above).lookup(above.targets[0].target.value)
        return all(self._is_called(name) for binding in bindings for name in self.program.uses(binding))

    def _in_Comparison(self, parent: cst.Comparison, node: cst.BaseExpression, values: Possibilities) -> bool:
        return all(isinstance(target.operator, cst.Is | cst.IsNot) for target in parent.comparisons)

    def _in_ComparisonTarget(
        self, parent: cst.ComparisonTarget, node: cst.BaseExpression, values: Possibilities
    ) -> bool:
        if isinstance(parent.operator, cst.Is | cst.IsNot):
            return True
        above = self.program.parent(parent)
        assert isinstance(above, cst.Comparison)
        is_membership = isinstance(parent.operator, cst.In | cst.NotIn)
        return is_membership and (self._all(values, Items) or string(above.left) in KEYS)

    def _in_For(self, parent: cst.For | cst.CompFor, node: cst.BaseExpression, values: Possibilities) -> bool:
        return self._all(values, Items)

    _in_CompFor = _in_For

    def _in_ListComp(self, parent: cst.BaseComp, node: cst.BaseExpression, values: Possibilities) -> bool:
        return True

    _in_SetComp = _in_GeneratorExp = _in_ListComp

    def _in_DictComp(self, parent: cst.DictComp, node: cst.BaseExpression, values: Possibilities) -> bool:
        return node is parent.value

    def _in_DictElement(self, parent: cst.DictElement, node: cst.BaseExpression, values: Possibilities) -> bool:
        return node is parent.value

    def _in_StarredElement(self, parent: cst.StarredElement, node: cst.BaseExpression, values: Possibilities) -> bool:
        return self._all(values, Items)

    def _in_StarredDictElement(
        self, parent: cst.StarredDictElement, node: cst.BaseExpression, values: Possibilities
    ) -> bool:
        return self._all(values, Items) or self._all(values, Config)

    def _in_BinaryOperation(self, parent: cst.BinaryOperation, node: cst.BaseExpression, values: Possibilities) -> bool:
        if self._all(values, Items):
            return isinstance(parent.operator, cst.Add | cst.BitOr)
        return self._all(values, Config) and isinstance(parent.operator, cst.BitOr)

    def _in_Del(self, parent: cst.Del, node: cst.BaseExpression, values: Possibilities) -> bool:
        return isinstance(node, cst.Name | cst.Attribute | cst.Subscript)

    def _in_Attribute(self, parent: cst.Attribute, node: cst.BaseExpression, values: Possibilities) -> bool:
        call = self.program.parent(parent)
        if not isinstance(call, cst.Call) or call.func is not parent:
            return False
        name = parent.attr.value
        if self._all(values, Builder):
            if name not in METHODS and name != "build":
                raise Refusal("MT106", parent, f"`LightningConfigBuilder` has no method `{name}`")
            return True
        if self._all(values, Config):
            if name in METHODS or name == "build":
                raise Refusal("MT106", parent, f"what was built has no method `{name}`")
            return name in _CONFIG_METHODS
        return name in GETTERS | ADDERS | EXTENDERS | _READS

    def _in_Subscript(self, parent: cst.Subscript, node: cst.BaseExpression, values: Possibilities) -> bool:
        return node is parent.value and (self._all(values, Items) or self._all(values, Config))

    def _in_Arg(self, parent: cst.Arg, node: cst.BaseExpression, values: Possibilities) -> bool:
        call = self.program.parent(parent)
        if not isinstance(call, cst.Call):
            return False
        if is_lightning_trainer(self.program, call):
            return self._in_trainer(call, parent, node, values)
        if self.program.qualified_name(call.func) in COPIES:
            return True
        if isinstance(call.func, cst.Name) and not self.program.bindings(call.func):
            return self._in_builtin(call.func.value, parent, values)
        if isinstance(call.func, cst.Attribute):
            owners = self.trace.of(call.func.value)
            if owners and all(isinstance(owner, Items) for owner in owners):
                return call.func.attr.value in GETTERS | ADDERS | EXTENDERS and not parent.star
            if self._all(owners, Config):
                return call.func.attr.value == "update" and self._all(values, Config) and not parent.star
        if self.trace.callables.parameters(call, parent) is None:
            function = _short(self.program.text(call.func))
            raise Refusal("MT103", node, f"it is given to `{function}`, which may look into it or change it")
        return True

    def _in_trainer(self, call: cst.Call, argument: cst.Arg, node: cst.BaseExpression, values: Possibilities) -> bool:
        is_config = keyword(argument) == "lightning_config" or (keyword(argument) is None and argument is call.args[0])
        if is_config and any(isinstance(value, Builder) for value in values):
            raise Refusal("MT106", node, "`.build()` is missing: LightningTrainer takes the built configuration")
        return is_config and not argument.star

    def _in_builtin(self, name: str, argument: cst.Arg, values: Possibilities) -> bool:
        if name == "dict" and argument.star == "**":
            return False
        if self._all(values, Items):
            return name in _TAKES_ITEMS and not argument.star
        return (name in _LOOKS or (name == "dict" and self._all(values, Config))) and not argument.star

    @staticmethod
    def _all(values: Possibilities, kind: type[Builder | Config | Items]) -> bool:
        return bool(values) and all(isinstance(value, kind) for value in values if value is not Else.NONE)

    # What could be done with them unseen

    def _check_functions(self) -> None:
        """Functions that take or return configurations may only be called."""
        for node in self.trace.nodes:
            if not isinstance(node, cst.FunctionDef) or not self._handles(node):
                continue
            if self.trace.callables.class_of(node) is not None:
                continue
            for binding in self.program.scope(self.program.parent(node) or node).lookup(node.name.value):
                through_modules = [one for one in self.program.attributes if binding in self.program.named(one)]
                for name in (*self.program.uses(binding), *through_modules):
                    if not self._is_called(name):
                        raise Refusal("MT103", name, f"`{self.program.text(name)}` is used for more than being called")

    def _handles(self, function: cst.FunctionDef) -> bool:
        return self.concern(self.trace.places.of(Returned(function))) or any(
            self.concern(self.trace.places.of(Variable(binding)))
            for binding in self.trace.callables.parameters_of(function)
        )

    def _is_called(self, node: cst.BaseExpression) -> bool:
        call = self.program.parent(node)
        return isinstance(call, cst.Call) and call.func is node

    def _check_attributes(self) -> None:
        """An attribute of that name may be read only where it is known whose it is."""
        names = {name for name, values in self.trace.carried_attributes() if self.concern(values)}
        for attribute in self.program.attributes:
            if attribute.attr.value not in names:
                continue
            owners = self.trace.of(attribute.value)
            if not owners and self.program.qualified_name(attribute) is None:
                raise Refusal("MT103", attribute, f"whose `{attribute.attr.value}` this is can't be seen")
            for owner in owners:
                if isinstance(owner, Instance | Class):
                    self._check_method_use(attribute, owner)
        for call in self.program.calls:
            if self.program.is_builtin(call.func, "getattr") or self.program.is_builtin(call.func, "setattr"):
                named = string(call.args[1].value) if len(call.args) > 1 else None
                if names and (named is None or named in names):
                    raise Refusal("MT103", call, "it may reach the configuration by a name")

    def _check_method_use(self, attribute: cst.Attribute, owner: Instance | Class) -> None:
        for method in self.trace.callables.methods(owner.family, attribute.attr.value):
            if self._handles(method) and not is_property(method) and not self._is_called(attribute):
                raise Refusal("MT103", attribute, f"`{_short(self.program.text(attribute))}` is not only called")


def _short(text: str) -> str:
    first = text.partition("\n")[0]
    return first if first == text else f"{first} …"
