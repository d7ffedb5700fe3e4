"""Code that only the first worker comes to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program

_RANK = re.compile(r"(?:global_|world_|process_)?rank|get_(?:world_)?rank|process_index", re.IGNORECASE)
_LOCAL_RANK = re.compile(r"local_rank|get_local_rank|local_process_index", re.IGNORECASE)
_OF_ENVIRONMENT = re.compile(r"int\(os\.environ(?:\.get)?[\[(][\"']((?:LOCAL_)?RANK)[\"'].*[\])]\)")
_FIRST = re.compile(r"is_(?:main|master|first|rank_?zero|main_process|global_zero)(?:_process)?")


def is_of_first(program: Program, node: cst.CSTNode, *, locally: bool = False) -> bool:
    """Whether only the first process comes to a node, as far as its function says.

    `locally` says that the first one of each machine will do, too.
    """
    inner = node
    for above in program.ancestors(node):
        if isinstance(above, cst.FunctionDef | cst.Lambda):
            return False
        is_body = isinstance(above, cst.If | cst.IfExp) and above.body is inner
        if is_body and isinstance(above, cst.If | cst.IfExp) and asks_for_first(program, above.test, locally=locally):
            return True
        inner = above
    return False


def asks_for_first(program: Program, test: cst.BaseExpression, *, locally: bool = False) -> bool:
    """Whether a condition holds in the first process only: `rank == 0 and save`."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.And):
        return any(asks_for_first(program, side, locally=locally) for side in (test.left, test.right))
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return _is_rank(program, test.expression, locally=locally)
    if not isinstance(test, cst.Comparison):
        return any(_FIRST.fullmatch(name) for name in _last_names(program, test))
    target = test.comparisons[0]
    is_zero = isinstance(target.comparator, cst.Integer) and target.comparator.evaluated_value == 0
    is_equal = len(test.comparisons) == 1 and isinstance(target.operator, cst.Equal)
    return is_zero and is_equal and _is_rank(program, test.left, locally=locally)


def _is_rank(program: Program, node: cst.BaseExpression, *, locally: bool) -> bool:
    """Whether an expression is the number of a process, by its own name or by what its variable is assigned."""
    values = [binding.value for binding in program.bindings(node)] if isinstance(node, cst.Name) else []
    if values and all(one is not None and not isinstance(one, cst.Name) for one in values):
        said = [one is not None and _is_rank(program, one, locally=locally) for one in values]
        if all(said):
            return True
    if (asked := _OF_ENVIRONMENT.fullmatch(program.text(node))) is not None:
        return locally or asked.group(1) == "RANK"
    patterns = (_RANK, _LOCAL_RANK) if locally else (_RANK,)
    return any(one.fullmatch(name) for one in patterns for name in _last_names(program, node))


def _last_names(program: Program, node: cst.BaseExpression) -> set[str]:
    """How a variable, an attribute or a function that is called without arguments is called, here and where it is."""
    named = node.func if isinstance(node, cst.Call) and not node.args else node
    if isinstance(named, cst.Attribute):
        return {named.attr.value}
    if not isinstance(named, cst.Name):
        return set()
    return {named.value, (program.qualified_name(named) or "").rpartition(".")[2]}
