"""Dictionaries that a script writes out: as a display, as `dict(...)`, or in a variable of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.writing.placement import comments_of, removal

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.rewrite import Rewrite


def entries_of(program: Program, node: cst.BaseExpression) -> dict[str, cst.BaseExpression] | None:
    """The entries of `{...}` or `dict(...)` by key, or None where they can't all be read."""
    if isinstance(node, cst.Dict):
        return display_of(node)
    if isinstance(node, cst.Call) and program.is_builtin(node.func, "dict"):
        return keywords_of(node)
    return None


def string(node: cst.BaseExpression | None) -> str | None:
    """The value of a string literal."""
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else None


def is_none(node: cst.BaseExpression | None) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def is_flag(node: cst.BaseExpression | None) -> bool:
    return isinstance(node, cst.Name) and node.value in ("True", "False")


def inlined(rewrite: Rewrite, name: cst.Name) -> cst.BaseExpression:
    """The value of a variable that nothing else reads, whose assignment is then removed; else the name itself."""
    program = rewrite.program
    binding = _only_read_here(program, name)
    if binding is None:
        return name
    assert binding.value is not None
    if vanishes(program, name):
        statement = program.statement(binding.node)
        rewrite.edits.append(removal(program, statement, comments_of(program, statement)))
    return binding.value


def vanishes(program: Program, name: cst.Name) -> bool:
    """Whether the assignment of a variable that is inlined can be removed: it is one of its block's lines."""
    binding = _only_read_here(program, name)
    if binding is None:
        return False
    statement = program.statement(binding.node)
    block = program.block(statement)
    assert isinstance(block, cst.Module | cst.IndentedBlock)
    return isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1 and len(block.body) > 1


def _only_read_here(program: Program, name: cst.Name) -> Binding | None:
    """The only binding of a variable, a plain assignment, if this is its only use."""
    binding = program.sole_assignment(name)
    return binding if binding is not None and len(program.uses(binding)) == 1 else None


def display_of(node: cst.Dict) -> dict[str, cst.BaseExpression] | None:
    """The entries of `{...}`, or None where a key isn't a string literal."""
    entries: dict[str, cst.BaseExpression] = {}
    for element in node.elements:
        key = string(element.key) if isinstance(element, cst.DictElement) else None
        if key is None:
            return None
        entries[key] = element.value
    return entries


def keywords_of(node: cst.Call) -> dict[str, cst.BaseExpression] | None:
    """The entries of `dict(...)`, or None where it has more than keywords."""
    if any(argument.star or argument.keyword is None for argument in node.args):
        return None
    return {argument.keyword.value: argument.value for argument in node.args if argument.keyword is not None}
