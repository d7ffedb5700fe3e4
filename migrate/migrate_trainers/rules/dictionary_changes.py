"""Dictionaries that are built in steps: which statements change one before it is read, and what each makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Collection

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.scopes import Binding

_CHANGERS = frozenset({"update", "setdefault", "pop"})
_READERS = frozenset({"copy", "get", "items", "keys", "values"})
_LOOKING_CALLS = frozenset({"print", "len", "str", "repr", "sorted", "dict", "list", "bool", "type"})

# What gives an expression's value.
Evaluate = Callable[[cst.BaseExpression], Any]


def changes_before(
    program: Program, node: cst.Name, binding: Binding, statement: Statement, harmless: Collection[cst.CSTNode]
) -> list[cst.BaseSmallStatement] | None:
    """The statements that change a variable's dictionary before it is read, None where that isn't plain to see.

    It is read at `node`, for `statement`; `harmless` are uses of it that are known not to change it.
    """
    own_block = program.block(program.statement(binding.node))
    if own_block is not program.block(statement) and not program.contains(own_block, statement):
        own_block = None  # type: ignore[assignment]
    changes = []
    for use in program.uses(binding):
        if use is node or use in harmless or cannot_change(program, use) or _is_apart(program, use, binding, statement):
            continue
        change = changing_statement(program, use)
        in_line = change is not None and program.block(program.statement(change)) is own_block
        if change is None or not in_line or program.span(change)[0] > program.span(node)[0]:
            return None
        changes.append(change)
    return sorted(changes, key=lambda change: program.span(change)[0])


def _is_apart(program: Program, use: cst.Name, binding: Binding, statement: Statement) -> bool:
    """Whether a variable is used before it is bound, or behind the statement that all is evaluated for."""
    if not program.scope(use) is binding.scope is program.scope(statement):
        return False
    if program.span(use)[1] <= program.span(binding.node)[0]:
        return True
    loops = [above for above in program.ancestors(statement) if isinstance(above, cst.For | cst.While)]
    repeated = any(program.contains(loop, use) and not program.contains(loop, binding.node) for loop in loops)
    return not repeated and program.span(use)[0] >= program.span(statement)[1]


def make_change(value: dict[str, Any], change: cst.BaseSmallStatement, evaluate: Evaluate) -> bool:
    """Make a statement's change to a dictionary, if it can be seen which."""
    if isinstance(change, cst.Assign):
        target = change.targets[0].target
        assert isinstance(target, cst.Subscript)
        held, key = _inner(value, target.value, evaluate), _key(target, evaluate)
        if held is None or not isinstance(key, str):
            return False
        held[key] = evaluate(change.value)
        return True
    if isinstance(change, cst.Del):
        assert isinstance(change.target, cst.Subscript)
        return value.pop(_key(change.target, evaluate), None) is not None
    assert isinstance(change, cst.Expr)
    assert isinstance(change.value, cst.Call)
    assert isinstance(change.value.func, cst.Attribute)
    held = _inner(value, change.value.func.value, evaluate)
    if held is None:
        return False
    given = [evaluate(argument.value) for argument in change.value.args]
    if any(argument.star for argument in change.value.args):
        return False
    method = change.value.func.attr.value
    if method == "update":
        return add_entries(held, change.value, given)
    if not given or not isinstance(given[0], str):
        return False
    if method == "setdefault":
        held.setdefault(given[0], given[1] if len(given) > 1 else None)
    else:
        held.pop(given[0], None)
    return True


def _inner(value: dict[str, Any], target: cst.BaseExpression, evaluate: Evaluate) -> dict[str, Any] | None:
    """The dictionary that `name["key"]` is, in the one that `name` is."""
    if not isinstance(target, cst.Subscript):
        return value
    outer, key = _inner(value, target.value, evaluate), _key(target, evaluate)
    inner = outer.get(key) if outer is not None and isinstance(key, str) else None
    return inner if isinstance(inner, dict) else None


def _key(node: cst.Subscript, evaluate: Evaluate) -> Any:
    index = node.slice[0].slice
    return evaluate(index.value) if isinstance(index, cst.Index) else None


def add_entries(entries: dict[str, Any], call: cst.Call, values: list[Any]) -> bool:
    """Add what `dict(...)` or `.update(...)` is given: keywords, and dictionaries, unpacked or not."""
    for argument, value in zip(call.args, values, strict=True):
        if argument.keyword is not None:
            entries[argument.keyword.value] = value
        elif isinstance(value, dict):
            entries |= value
        else:
            return False
    return True


def cannot_change(program: Program, name: cst.Name) -> bool:
    """Whether a use of a variable can't change what it holds, nor hand it to what could."""
    parent = program.parent(name)
    if isinstance(parent, cst.Attribute):
        return parent.attr.value in _READERS
    if isinstance(parent, cst.Arg):
        call = program.parent(parent)
        is_looking = isinstance(call, cst.Call) and any(program.is_builtin(call.func, one) for one in _LOOKING_CALLS)
        return parent.star == "**" or is_looking
    if isinstance(parent, cst.Subscript):
        return parent.value is not name or isinstance(program.parent(parent), cst.Arg | cst.FormattedStringExpression)
    return isinstance(parent, cst.StarredDictElement | cst.FormattedStringExpression | cst.Comparison)


def changing_statement(program: Program, use: cst.Name) -> cst.BaseSmallStatement | None:
    """The statement `name[key] = value`, `del name[key]` or `name.update(...)` that a use of a variable opens."""
    node: cst.CSTNode = use
    parent = program.parent(node)
    while isinstance(parent, cst.Subscript) and parent.value is node:
        node, parent = parent, program.parent(parent)
    if isinstance(node, cst.Subscript) and isinstance(parent, cst.AssignTarget):
        assign = program.parent(parent)
        return assign if isinstance(assign, cst.Assign) and len(assign.targets) == 1 else None
    if isinstance(node, cst.Subscript) and isinstance(parent, cst.Del):
        return parent if node.value is use else None
    if isinstance(parent, cst.Attribute) and parent.attr.value in _CHANGERS:
        call = program.parent(parent)
        line = program.parent(call) if isinstance(call, cst.Call) else None
        return line if isinstance(line, cst.Expr) else None
    return None


def is_change(program: Program, call: cst.Call) -> bool:
    """Whether a call is a statement `name.update(...)` or the like."""
    receiver = call.func.value if isinstance(call.func, cst.Attribute) else None
    while isinstance(receiver, cst.Subscript):
        receiver = receiver.value
    line = program.parent(call)
    return isinstance(receiver, cst.Name) and changing_statement(program, receiver) is line


def only_makes(program: Program, function: cst.FunctionDef) -> bool:
    """Whether a function's body only assigns, changes what it made and returns: nobody misses its call."""
    if function.asynchronous is not None or not isinstance(function.body, cst.IndentedBlock):
        return False
    return all(
        isinstance(line, cst.SimpleStatementLine) and all(_is_making(program, small) for small in line.body)
        for line in function.body.body
    )


def _is_making(program: Program, small: cst.BaseSmallStatement) -> bool:
    if isinstance(small, cst.Expr):
        is_called = isinstance(small.value, cst.Call) and is_change(program, small.value)
        return isinstance(small.value, cst.SimpleString) or is_called
    return isinstance(small, cst.Assign | cst.AnnAssign | cst.Return | cst.Import | cst.ImportFrom | cst.Pass | cst.Del)
