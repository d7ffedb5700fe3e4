"""Code that only the first worker comes to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program

# What Ray's context and Accelerate's Accelerator say of a worker among all of them.
_RANK = re.compile(r"get_world_rank|process_index")
_FIRST = re.compile(r"is_main_process")
# What scripts call the number of a process, or the first one, of all processes or of each machine.
_CALLED_RANK = re.compile(
    r"(?:global_|local_|world_|process_)?rank|get_(?:world_|local_)?rank|(?:local_)?process_index", re.IGNORECASE
)
_CALLED_FIRST = re.compile(r"is_(?:main|master|first|rank_?zero|main_process|global_zero)(?:_process)?")
_OF_ENVIRONMENT = re.compile(r"int\(os\.environ(?:\.get)?[\[(][\"'](?:LOCAL_)?RANK[\"'].*[\])]\)")


def is_of_first(program: Program, node: cst.CSTNode, *, by_name: bool = False) -> bool:
    """Whether only the first process comes to a node, as far as its function says.

    `by_name` says that a variable is what it is called, and that the first process of each machine will do, too.
    """
    inner = node
    for above in program.ancestors(node):
        if isinstance(above, cst.FunctionDef | cst.Lambda):
            return False
        test = above.test if isinstance(above, cst.If | cst.IfExp) and above.body is inner else None
        if test is not None and asks_for_first(program, test, by_name=by_name):
            return True
        inner = above
    return False


def asks_for_first(program: Program, test: cst.BaseExpression, *, by_name: bool = False) -> bool:
    """Whether a condition holds in the first process only: `rank == 0 and save`."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.And):
        return any(asks_for_first(program, side, by_name=by_name) for side in (test.left, test.right))
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return _is_rank(program, test.expression, by_name=by_name)
    if not isinstance(test, cst.Comparison):
        if by_name:
            return any(_CALLED_FIRST.fullmatch(name) for name in _last_names(program, test))
        return isinstance(test, cst.Attribute) and _FIRST.fullmatch(test.attr.value) is not None
    target = test.comparisons[0]
    is_zero = isinstance(target.comparator, cst.Integer) and target.comparator.evaluated_value == 0
    is_equal = len(test.comparisons) == 1 and isinstance(target.operator, cst.Equal)
    return is_zero and is_equal and _is_rank(program, test.left, by_name=by_name)


def _is_rank(program: Program, node: cst.BaseExpression, *, by_name: bool) -> bool:
    """Whether an expression is the number of a process; a variable is what all that is assigned to it is."""
    if isinstance(node, cst.Name):
        values = [binding.value for binding in program.bindings(node)]
        known = [one for one in values if one is not None and not isinstance(one, cst.Name)]
        if known and len(known) == len(values) and all(_is_rank(program, one, by_name=by_name) for one in known):
            return True
        if not by_name:
            return False
    if by_name and _OF_ENVIRONMENT.fullmatch(program.text(node)) is not None:
        return True
    pattern = _CALLED_RANK if by_name else _RANK
    return any(pattern.fullmatch(name) for name in _last_names(program, node))


def _last_names(program: Program, node: cst.BaseExpression) -> set[str]:
    """How a variable, an attribute or a function that is called without arguments is called, here and where it is."""
    named = node.func if isinstance(node, cst.Call) and not node.args else node
    if isinstance(named, cst.Attribute):
        return {named.attr.value}
    if not isinstance(named, cst.Name):
        return set()
    return {named.value, (program.qualified_name(named) or "").rpartition(".")[2]}
