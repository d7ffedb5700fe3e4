"""What an expression's value is, where the source says it: literals, paths, and dictionaries that are built in steps.

Dictionaries are given as dictionaries, whose values may be `Unknown` each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind, own_returns
from migrate_trainers.rules.dictionary_changes import (
    add_entries,
    cannot_change,
    changes_before,
    is_change,
    make_change,
    only_makes,
)
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.scopes import Binding

_SAME_PATH = frozenset({"os.path.abspath", "os.path.realpath", "os.path.normpath", "os.fspath"})
_COPIES = frozenset({"copy.copy", "copy.deepcopy"})
_FOLLOWED_CALLS = 8


@dataclass(frozen=True)
class Unknown:
    """A value that only a run of the script tells, and the expression that has it."""

    node: cst.CSTNode


@dataclass(frozen=True)
class FilePath:
    """A path as the script names it: from the folder of a program's file, or from where the script is run."""

    path: PurePosixPath
    beside: Program | None = None

    @property
    def parent(self) -> FilePath:
        return FilePath(self.path / ".." if self.path.name in ("", "..") else self.path.parent, self.beside)

    def joined(self, *parts: str) -> FilePath:
        path = self.path.joinpath(*parts)
        return FilePath(path, None if path.is_absolute() else self.beside)


@dataclass
class Constants:
    """Evaluates expressions as a statement of a program has them; `read` are the variables that it followed.

    `harmless` are expressions that are known not to change what they name; `arguments` are the values of parameters,
    where the expressions are those of a function that is called.
    """

    program: Program
    statement: Statement
    harmless: frozenset[cst.CSTNode] = frozenset()
    arguments: Mapping[cst.CSTNode, Any] = field(default_factory=dict)
    depth: int = 0
    read: list[Binding] = field(default_factory=list)

    def of(self, node: cst.BaseExpression) -> Any:
        """The value of an expression, or `Unknown`."""
        evaluate: Callable[[Any], Any] | None = getattr(self, f"_{type(node).__name__}", None)
        return evaluate(node) if evaluate is not None else Unknown(node)

    def _SimpleString(self, node: cst.SimpleString) -> Any:
        return node.evaluated_value

    def _ConcatenatedString(self, node: cst.ConcatenatedString) -> Any:
        return node.evaluated_value if node.evaluated_value is not None else Unknown(node)

    def _Integer(self, node: cst.Integer | cst.Float) -> Any:
        return node.evaluated_value

    _Float = _Integer

    def _UnaryOperation(self, node: cst.UnaryOperation) -> Any:
        value = self.of(node.expression)
        if isinstance(value, int | float) and isinstance(node.operator, cst.Minus):
            return -value
        if isinstance(node.operator, cst.Not) and isinstance(value, bool):
            return not value
        return Unknown(node)

    def _FormattedString(self, node: cst.FormattedString) -> Any:
        parts = []
        for part in node.parts:
            value: Any = part.value if isinstance(part, cst.FormattedStringText) else Unknown(node)
            if isinstance(part, cst.FormattedStringExpression) and part.format_spec is None and part.conversion is None:
                value = self.of(part.expression)
            if not isinstance(value, str | int):
                return Unknown(node)
            parts.append(str(value))
        return "".join(parts)

    def _BinaryOperation(self, node: cst.BinaryOperation) -> Any:
        left, right = self.of(node.left), self.of(node.right)
        if isinstance(node.operator, cst.Divide) and isinstance(left, FilePath) and isinstance(right, str):
            return left.joined(right)
        if isinstance(node.operator, cst.Add) and isinstance(left, str) and isinstance(right, str):
            return left + right
        if isinstance(node.operator, cst.BitOr) and isinstance(left, dict) and isinstance(right, dict):
            return left | right
        if all(type(value) in (int, float) for value in (left, right)):
            if isinstance(node.operator, cst.Multiply):
                return left * right
            if isinstance(node.operator, cst.Add):
                return left + right
        return Unknown(node)

    def _IfExp(self, node: cst.IfExp) -> Any:
        test = self.of(node.test)
        is_known = test is None or isinstance(test, bool | int | str)
        return self.of(node.body if test else node.orelse) if is_known else Unknown(node)

    def _Dict(self, node: cst.Dict) -> Any:
        entries: dict[Any, Any] = {}
        for element in node.elements:
            value = self.of(element.value)
            if isinstance(element, cst.DictElement):
                key = self.of(element.key)
                if not isinstance(key, str):
                    return Unknown(node)
                entries[key] = value
            elif isinstance(value, dict):
                entries |= value
            else:
                return Unknown(element.value)
        return entries

    def _List(self, node: cst.List | cst.Tuple) -> Any:
        values = [self.of(element.value) for element in node.elements if isinstance(element, cst.Element)]
        return values if len(values) == len(node.elements) else Unknown(node)

    _Tuple = _List

    def _Subscript(self, node: cst.Subscript) -> Any:
        container = self.of(node.value)
        index = node.slice[0].slice
        key = self.of(index.value) if isinstance(index, cst.Index) and len(node.slice) == 1 else Unknown(node)
        if isinstance(container, dict) and isinstance(key, str) and key in container:
            return container[key]
        return Unknown(node)

    # Names

    def _Name(self, node: cst.Name) -> Any:
        builtin = {"True": True, "False": False, "None": None}
        if not self.program.bindings(node):
            if node.value == "__file__":
                return FilePath(PurePosixPath("__file__"), self.program)
            return builtin.get(node.value, Unknown(node))
        bindings = self.program.reaching(node)
        if len(bindings) != 1:
            return Unknown(node)
        binding = bindings[0]
        if binding.kind is BindingKind.PARAMETER:
            is_changed = any(
                not cannot_change(self.program, use) for use in self.program.uses(binding) if use is not node
            )
            return Unknown(node) if is_changed else self.arguments.get(binding.node, Unknown(node))
        if binding.kind is BindingKind.IMPORT:
            return self._imported(node, binding)
        return self._variable(node, binding)

    def _Attribute(self, node: cst.Attribute) -> Any:
        qualified = self.program.qualified_name(node) or ""
        if qualified.startswith("accelerate.") and ".DistributedType." in qualified:
            return node.attr.value
        value = self.of(node.value) if not qualified else None
        if isinstance(value, FilePath) and node.attr.value == "parent":
            return value.parent
        found = self._definition(node) or self._of_class(node)
        return self._elsewhere(*found, node) if found is not None else Unknown(node)

    def _of_class(self, node: cst.Attribute) -> tuple[Program, Binding] | None:
        """Where a class of the file assigns an attribute that nothing changes."""
        program = self.program
        named = program.named(node.value)
        if len(named) != 1 or not isinstance(named[0].node, cst.ClassDef):
            return None
        bindings = program.scope(named[0].node.body).bindings.get(node.attr.value, [])
        others = [one for one in program.attributes if one.attr.value == node.attr.value and one is not node]
        return (program, bindings[0]) if len(bindings) == 1 and not others else None

    def _imported(self, node: cst.Name, binding: Binding) -> Any:
        others = (use for use in self.program.uses(binding) if use is not node and use not in self.harmless)
        if any(not cannot_change(self.program, use) for use in others):
            return Unknown(node)
        found = self._definition(node)
        return self._elsewhere(*found, node) if found is not None else Unknown(node)

    def _definition(self, node: cst.BaseExpression) -> tuple[Program, Binding] | None:
        """The only place where a name of another file is bound."""
        found = list(self.program.definitions(node))
        return found[0] if len(found) == 1 and found[0][1].kind is not BindingKind.IMPORT else None

    def _elsewhere(self, program: Program, binding: Binding, node: cst.CSTNode) -> Any:
        """The value of another module's variable, which nothing there changes."""
        if binding.value is None or any(not cannot_change(program, use) for use in program.uses(binding)):
            return Unknown(node)
        value = Constants(program, program.statement(binding.node), depth=self.depth + 1).of(binding.value)
        return Unknown(node) if isinstance(value, Unknown) else value

    def _variable(self, node: cst.Name, binding: Binding) -> Any:
        if binding.kind is not BindingKind.ASSIGNMENT or binding.value is None:
            return Unknown(node)
        value = self.of(binding.value)
        is_mutable = isinstance(value, dict | list)
        changes = changes_before(self.program, node, binding, self.statement, self.harmless) if is_mutable else []
        if isinstance(value, Unknown) or changes is None or (changes and not isinstance(value, dict)):
            return Unknown(node)
        self.read.append(binding)
        for change in changes:
            if not make_change(value, change, self.of):
                return Unknown(change)
        return value

    # Calls

    def _Call(self, node: cst.Call) -> Any:
        program = self.program
        name = program.qualified_name(node.func)
        values = [self.of(argument.value) for argument in node.args]
        is_plain = not any(argument.star or argument.keyword for argument in node.args)
        if program.is_builtin(node.func, "dict"):
            return self._made_dict(node, values)
        if program.is_builtin(node.func, "str") and is_plain and len(values) == 1:
            return values[0] if isinstance(values[0], str | FilePath) else Unknown(node)
        if name is not None and is_plain and (path := _path_made(name, values)) is not None:
            return path
        if name in _COPIES and is_plain and len(values) == 1:
            return values[0]
        if isinstance(node.func, cst.Attribute) and name is None:
            value = self.of(node.func.value)
            return self._method_result(node, value, values) if not isinstance(value, Unknown) else self._result(node)
        return self._result(node)

    def _made_dict(self, node: cst.Call, values: list[Any]) -> Any:
        entries: dict[str, Any] = {}
        if any(argument.star == "*" for argument in node.args):
            return Unknown(node)
        return entries if add_entries(entries, node, values) else Unknown(node)

    def _method_result(self, node: cst.Call, value: Any, values: list[Any]) -> Any:
        assert isinstance(node.func, cst.Attribute)
        method = node.func.attr.value
        if isinstance(value, dict) and method == "copy" and not values:
            return value
        if isinstance(value, dict) and method == "get" and values and isinstance(values[0], str):
            return value.get(values[0], values[1] if len(values) > 1 else None)
        if isinstance(value, FilePath) and method in ("resolve", "absolute", "as_posix"):
            return value
        if isinstance(value, FilePath) and method == "joinpath" and all(isinstance(one, str) for one in values):
            return value.joined(*values)
        return Unknown(node)

    def _result(self, node: cst.Call) -> Any:
        """What a function of the tree returns that only makes a value."""
        found = list(self.program.definitions(node.func))
        if len(found) != 1 or not isinstance(found[0][1].node, cst.FunctionDef) or self.depth > _FOLLOWED_CALLS:
            return Unknown(node)
        program, function = found[0][0], found[0][1].node
        returns = own_returns(function.body)
        arguments = self._bound(node, function)
        if len(returns) != 1 or returns[0].value is None or arguments is None or not only_makes(program, function):
            return Unknown(node)
        statement = program.statement(returns[0])
        if program.block(statement) is not function.body:
            return Unknown(node)
        constants = Constants(program, statement, arguments=arguments, depth=self.depth + 1)
        value = constants.of(returns[0].value)
        calls = [call for call in program.calls if program.contains(function.body, call)]
        has_effects = any(isinstance(constants.of(call), Unknown) and not is_change(program, call) for call in calls)
        return Unknown(node) if isinstance(value, Unknown) or has_effects else value

    def _bound(self, node: cst.Call, function: cst.FunctionDef) -> dict[cst.CSTNode, Any] | None:
        parameters = function.params
        if parameters.star_kwarg is not None or isinstance(parameters.star_arg, cst.Param) or function.decorators:
            return None
        positional = [parameter.name.value for parameter in (*parameters.posonly_params, *parameters.params)]
        given = bound_arguments(node, positional)
        if given is None:
            return None
        bound: dict[cst.CSTNode, Any] = {}
        for parameter in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params):
            argument = given.get(parameter.name.value)
            if argument is not None:
                bound[parameter] = self.of(argument.value)
            elif parameter.default is not None:
                bound[parameter] = self.of(parameter.default)
        return bound


def _path_made(name: str, values: list[Any]) -> FilePath | None:
    """The path that a function of `os.path` or `pathlib` gives."""
    if name in ("os.getcwd", "pathlib.Path.cwd"):
        return FilePath(PurePosixPath())
    paths = [FilePath(PurePosixPath(value)) if isinstance(value, str) else value for value in values]
    if not paths or not all(isinstance(path, FilePath) for path in paths):
        return None
    first = paths[0]
    if name in ("os.path.join", "pathlib.Path", "pathlib.PurePath"):
        return None if any(isinstance(value, FilePath) for value in values[1:]) else first.joined(*values[1:])
    if name == "os.path.dirname":
        return first.parent
    return first if name in _SAME_PATH else None
