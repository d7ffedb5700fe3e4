"""Where an expression of the legacy call may be evaluated so that it gives what it gave before.

The legacy trainers evaluated everything on the driver, once, when the builder was filled, and pickled it at `fit()`.
A train function evaluates later, and once a worker. So an expression moves into it only if neither makes a
difference; what reads something that may change is passed through `train_loop_config`; what has (or may have) an
effect stays where it was, under a local name.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.lightning_names import NEW_PACKAGE, OLD_PACKAGE
from migrate_trainers.reading.scopes import Binding, BindingKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program, Statement

_PURE_BUILTINS = frozenset(
    {"bool", "dict", "float", "frozenset", "int", "list", "max", "min", "range", "set", "str", "tuple"}
)
_PURE_CALLS = frozenset(
    {
        "datetime.timedelta",
        "functools.partial",
        "os.path.join",
        "pathlib.Path",
        "torch.device",
        "torch.distributed.fsdp.CPUOffload",
        "torch.distributed.fsdp.MixedPrecision",
        "torch.distributed.fsdp.fully_sharded_data_parallel.CPUOffload",
        "torch.distributed.fsdp.fully_sharded_data_parallel.MixedPrecision",
    }
)
# Lightning's own objects that only remember their arguments when they are made.
_PURE_LIGHTNING = ("callbacks", "plugins", "profilers", "strategies")
_PURE_LIGHTNING_LOGGERS = ("loggers.CSVLogger", "loggers.TensorBoardLogger", "loggers.csv_logs.CSVLogger")


def lightning_name(qualified: str | None) -> str | None:
    """`callbacks.EarlyStopping` for a name in either Lightning package, else None."""
    for package in (NEW_PACKAGE, OLD_PACKAGE, "lightning"):
        if qualified is not None and qualified.startswith(f"{package}."):
            return qualified[len(package) + 1 :]
    return None


class ValueAnalysis:
    """Answers, for expressions evaluated at the statement `origin`, which of their parts must not move."""

    def __init__(self, program: Program, origin: Statement) -> None:
        self.program = program
        self.origin = origin
        self._origin_start = program.span(origin)[0]

    def immovable_parts(self, node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
        """The largest subexpressions that can't be evaluated later and elsewhere, in order of evaluation."""
        if self.is_movable(node):
            return
        if _unpacks(node):
            # `[*names]` copies now what `names` holds now.
            yield node
        elif isinstance(node, cst.List | cst.Tuple):
            for element in node.elements:
                yield from self.immovable_parts(element.value)
        elif isinstance(node, cst.Dict):
            for entry in node.elements:
                if isinstance(entry, cst.DictElement):
                    yield from self.immovable_parts(entry.key)
                yield from self.immovable_parts(entry.value)
        elif isinstance(node, cst.Call) and self._only_keeps_arguments(node.func):
            for argument in node.args:
                yield from self.immovable_parts(argument.value)
        else:
            yield node

    def may_be_unpacked_later(self, node: cst.BaseExpression) -> bool:
        """Whether `**node` gives the same keywords later: nothing in the file changes what it holds."""
        if not isinstance(node, cst.Name):
            return self.is_movable(node)
        bindings = self.program.bindings(node)
        return (
            len(bindings) == 1
            and makes_dictionary(self.program, bindings[0])
            and self.is_stable(node)
            and all(only_looks(self.program, use) for use in self.program.uses(bindings[0]))
        )

    def only_reads(self, node: cst.BaseExpression) -> bool:
        """Whether evaluating the expression has no effect of its own: names, attributes and items of such."""
        if isinstance(node, cst.Name):
            return True
        if isinstance(node, cst.Attribute):
            return self.only_reads(node.value)
        if isinstance(node, cst.Subscript):
            indices = [element.slice.value for element in node.slice if isinstance(element.slice, cst.Index)]
            return (
                len(indices) == len(node.slice)
                and self.only_reads(node.value)
                and all(self.only_reads(index) for index in indices)
            )
        if isinstance(node, cst.BinaryOperation | cst.BooleanOperation):
            return self.only_reads(node.left) and self.only_reads(node.right)
        if isinstance(node, cst.UnaryOperation):
            return self.only_reads(node.expression)
        if isinstance(node, cst.IfExp):
            return all(self.only_reads(part) for part in (node.test, node.body, node.orelse))
        return isinstance(node, cst.BaseNumber | cst.SimpleString)

    def is_stable(self, name: cst.Name) -> bool:
        """Whether a name still means the same object at `fit()`: nothing rebinds it from the origin on."""
        bindings = self.program.bindings(name)
        if not bindings:
            return hasattr(builtins, name.value)
        if self._is_rebound_elsewhere(bindings) or any(self._ends_with_handler(binding) for binding in bindings):
            return False
        here = self.program.scope(self.origin)
        if bindings[0].scope is not here:
            return len(bindings) == 1 and self._loop_of(bindings[0]) is None
        if len(bindings) == 1 and bindings[0].kind in (BindingKind.FUNCTION, BindingKind.CLASS, BindingKind.IMPORT):
            return self._loop_of(bindings[0]) is None or self._loop_of(bindings[0]) is not self._origin_loop()
        loop = self._origin_loop()
        return all(
            self._start(binding) < self._origin_start and (loop is None or not self._is_inside(binding, loop))
            for binding in bindings
        )

    def is_movable(self, node: cst.BaseExpression) -> bool:
        """Whether an expression gives the same when a worker evaluates it later, and has no effect."""
        if isinstance(node, cst.BaseNumber | cst.SimpleString | cst.ConcatenatedString | cst.Ellipsis):
            return not isinstance(node, cst.ConcatenatedString) or (
                self.is_movable(node.left) and self.is_movable(node.right)
            )
        if isinstance(node, cst.Name):
            return self.is_stable(node)
        if isinstance(node, cst.Attribute):
            return self._is_constant_attribute(node)
        if isinstance(node, cst.FormattedString):
            return all(
                not isinstance(part, cst.FormattedStringExpression) or self._is_immutable(part.expression)
                for part in node.parts
            )
        if isinstance(node, cst.List | cst.Tuple | cst.Set):
            return all(isinstance(element, cst.Element) and self.is_movable(element.value) for element in node.elements)
        if isinstance(node, cst.Dict):
            return all(
                isinstance(entry, cst.DictElement) and self.is_movable(entry.key) and self.is_movable(entry.value)
                for entry in node.elements
            )
        if isinstance(
            node, cst.BinaryOperation | cst.BooleanOperation | cst.UnaryOperation | cst.Comparison | cst.IfExp
        ):
            return self._is_immutable(node)
        if isinstance(node, cst.Lambda):
            # A lambda reads its names when it is called, in the worker: then as now.
            return not node.params.params or all(parameter.default is None for parameter in node.params.params)
        if isinstance(node, cst.Call):
            return self._is_pure_callable(node.func) and all(
                argument.star == "" and self._is_argument_movable(node.func, argument.value) for argument in node.args
            )
        return False

    def _only_keeps_arguments(self, function: cst.BaseExpression) -> bool:
        """Whether a call only keeps its arguments, where a builtin such as `list` copies what they hold."""
        is_builtin = isinstance(function, cst.Name) and not self.program.bindings(function)
        return not is_builtin and self._is_pure_callable(function)

    def _is_argument_movable(self, function: cst.BaseExpression, value: cst.BaseExpression) -> bool:
        # `list(names)` copies now what `names` holds now; a constructor only keeps the reference.
        if isinstance(function, cst.Name) and not self.program.bindings(function):
            return (
                self._is_immutable(value)
                if not isinstance(value, cst.List | cst.Tuple | cst.Dict)
                else self.is_movable(value)
            )
        return self.is_movable(value)

    def _is_immutable(self, node: cst.BaseExpression) -> bool:
        """Whether an operand is a movable number, string, flag or None, or made of such."""
        if isinstance(node, cst.BaseNumber | cst.SimpleString | cst.Ellipsis):
            return True
        if isinstance(node, cst.Name):
            if node.value in ("True", "False", "None"):
                return True
            bindings = self.program.bindings(node)
            return (
                bool(bindings)
                and self.is_stable(node)
                and all(
                    binding.kind is BindingKind.ASSIGNMENT
                    and binding.value is not None
                    and binding.value is not node
                    and _is_literal_arithmetic(binding.value)
                    for binding in bindings
                )
            )
        if isinstance(node, cst.Attribute):
            return self._is_constant_attribute(node)
        if isinstance(node, cst.BinaryOperation | cst.BooleanOperation):
            return self._is_immutable(node.left) and self._is_immutable(node.right)
        if isinstance(node, cst.UnaryOperation):
            return self._is_immutable(node.expression)
        if isinstance(node, cst.Comparison):
            return self._is_immutable(node.left) and all(
                self._is_immutable(target.comparator) for target in node.comparisons
            )
        if isinstance(node, cst.IfExp):
            return all(self._is_immutable(part) for part in (node.test, node.body, node.orelse))
        if isinstance(node, cst.FormattedString):
            return self.is_movable(node)
        return False

    def _is_constant_attribute(self, node: cst.Attribute) -> bool:
        """`torch.float32`, `MyModel.DEFAULT`: attributes of modules and classes, but not of objects."""
        root: cst.BaseExpression = node
        while isinstance(root, cst.Attribute):
            root = root.value
        if not isinstance(root, cst.Name) or not self.is_stable(root):
            return False
        if self.program.text(node) in self.program.assigned_attributes:
            return False
        bindings = self.program.bindings(root)
        kinds = {binding.kind for binding in bindings}
        if kinds != {BindingKind.IMPORT}:
            return kinds == {BindingKind.CLASS}
        # `from project import args` may be an object whose attributes change; modules and classes are named so.
        is_module = all(isinstance(self.program.parent(binding.node), cst.Import) for binding in bindings)
        return is_module or root.value[0].isupper() or node.attr.value[0].isupper()

    def _is_pure_callable(self, function: cst.BaseExpression) -> bool:
        if isinstance(function, cst.Name):
            bindings = self.program.bindings(function)
            if not bindings:
                return function.value in _PURE_BUILTINS
            if len(bindings) == 1 and isinstance(bindings[0].node, cst.ClassDef):
                return self.is_stable(function) and self._is_plain_lightning_class(bindings[0].node)
        qualified = self.program.qualified_name(function)
        if qualified in _PURE_CALLS or qualified in legacy.TUNE_DOMAINS:
            return True
        name = lightning_name(qualified)
        if name is None:
            return False
        return name.partition(".")[0] in _PURE_LIGHTNING or name in _PURE_LIGHTNING_LOGGERS

    def _is_plain_lightning_class(self, node: cst.ClassDef) -> bool:
        """A class of the file, derived from Lightning's callbacks, whose constructor only stores its arguments."""
        if node.decorators or not node.bases or node.keywords:
            return False
        for base in node.bases:
            name = lightning_name(self.program.qualified_name(base.value))
            if name is None or not (name.startswith(("callbacks.", "plugins.")) or name == "Callback"):
                return False
        return all(_only_stores(method) for method in _methods(node) if method.name.value in ("__init__", "__new__"))

    def _is_rebound_elsewhere(self, bindings: tuple[Binding, ...]) -> bool:
        """Whether a nested function binds the variable through `global` or `nonlocal`."""
        for binding in bindings:
            function = self.program.enclosing(binding.node, cst.FunctionDef)
            owner = binding.scope.node
            if binding.kind is BindingKind.PARAMETER:
                continue
            if function is not None and function is not owner and isinstance(owner, cst.Module | cst.FunctionDef):
                inner_most = self.program.enclosing(binding.node, (cst.FunctionDef, cst.ClassDef, cst.Lambda))
                if inner_most is not owner and binding.node is not inner_most:
                    return True
        return False

    def _ends_with_handler(self, binding: Binding) -> bool:
        """Whether Python deletes the variable at the end of its `except` clause."""
        return isinstance(self.program.parent(binding.node), cst.ExceptHandler | cst.ExceptStarHandler)

    def _loop_of(self, binding: Binding) -> cst.CSTNode | None:
        if isinstance(binding.node, cst.For):
            return binding.node
        return self.program.loop_around(binding.node)

    def _origin_loop(self) -> cst.CSTNode | None:
        """The outermost loop that repeats the origin within its function."""
        found = None
        loop = self.program.loop_around(self.origin)
        while loop is not None:
            found = loop
            loop = self.program.loop_around(loop)
        return found

    def _is_inside(self, binding: Binding, loop: cst.CSTNode) -> bool:
        return self.program.contains(loop, binding.node)

    def _start(self, binding: Binding) -> int:
        return self.program.span(binding.node)[0]


def _unpacks(node: cst.BaseExpression) -> bool:
    """Whether a display holds `*names` or `**names`."""
    if isinstance(node, cst.List | cst.Tuple | cst.Set):
        return any(isinstance(element, cst.StarredElement) for element in node.elements)
    return isinstance(node, cst.Dict) and any(isinstance(entry, cst.StarredDictElement) for entry in node.elements)


def makes_dictionary(program: Program, binding: Binding) -> bool:
    """Whether a binding assigns a new dictionary, which only its own variable has."""
    if isinstance(binding.node, cst.Assign) and len(binding.node.targets) > 1:
        return False
    value = binding.value
    return isinstance(value, cst.Dict) or (isinstance(value, cst.Call) and program.is_builtin(value.func, "dict"))


def only_looks(program: Program, name: cst.Name) -> bool:
    """Whether a use of a dictionary's variable reads items or unpacks it, and so can't change it."""
    parent = program.parent(name)
    if isinstance(parent, cst.Arg):
        return parent.star == "**"
    if isinstance(parent, cst.Subscript):
        return parent.value is name and not isinstance(
            program.parent(parent), cst.AssignTarget | cst.AugAssign | cst.AnnAssign | cst.Del | cst.Attribute
        )
    if isinstance(parent, cst.Attribute):
        return parent.attr.value in ("get", "items", "keys", "values")
    return isinstance(parent, cst.StarredDictElement)


def _methods(node: cst.ClassDef) -> Iterator[cst.FunctionDef]:
    for statement in node.body.body:
        if isinstance(statement, cst.FunctionDef):
            yield statement


def _only_stores(method: cst.FunctionDef) -> bool:
    """Whether a constructor's body is `super().__init__()` and `self.name = name` lines only."""
    if method.name.value == "__new__":
        return False
    for line in method.body.body:
        if not isinstance(line, cst.SimpleStatementLine):
            return False
        for statement in line.body:
            if isinstance(statement, cst.Pass):
                continue
            if isinstance(statement, cst.Expr) and (
                isinstance(statement.value, cst.SimpleString) or _is_super_init(statement.value)
            ):
                continue
            if (
                isinstance(statement, cst.Assign)
                and all(isinstance(target.target, cst.Attribute) for target in statement.targets)
                and (isinstance(statement.value, cst.Name) or _is_literal(statement.value))
            ):
                continue
            return False
    return True


def _is_super_init(node: cst.BaseExpression) -> bool:
    return (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Attribute)
        and node.func.attr.value == "__init__"
        and isinstance(node.func.value, cst.Call)
        and isinstance(node.func.value.func, cst.Name)
        and node.func.value.func.value == "super"
    )


def _is_literal(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.List | cst.Tuple):
        return all(_is_literal(element.value) for element in node.elements)
    if isinstance(node, cst.Dict):
        return not node.elements
    return _is_literal_arithmetic(node)


def _is_literal_arithmetic(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.BaseNumber | cst.SimpleString):
        return True
    if isinstance(node, cst.Name):
        return node.value in ("True", "False", "None")
    if isinstance(node, cst.UnaryOperation):
        return _is_literal_arithmetic(node.expression)
    if isinstance(node, cst.BinaryOperation):
        return _is_literal_arithmetic(node.left) and _is_literal_arithmetic(node.right)
    return False
