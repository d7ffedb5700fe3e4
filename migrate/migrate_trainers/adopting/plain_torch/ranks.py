"""Code that only the first process comes to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program

_RANK = re.compile(
    r"(?:\w+\.)*(?:(?:global_|local_|world_|process_)?rank|get_(?:world_|local_)?rank\(\)|process_index)"
    r"|int\(os\.environ(?:\.get)?[\[(][\"'](?:LOCAL_)?RANK[\"'].*[\])]\)",
    re.IGNORECASE,
)
_FIRST = re.compile(r"(?:\w+\.)*is_(?:main|master|first|rank_?zero|main_process|global_zero)(?:_process)?(?:\(\))?")


def is_guarded(program: Program, node: cst.CSTNode) -> bool:
    """Whether only the first process comes to a node, as far as its function says."""
    inner = node
    for above in program.ancestors(node):
        if isinstance(above, cst.FunctionDef | cst.Lambda):
            return False
        if isinstance(above, cst.If) and above.body is inner and asks_for_first(program, above.test):
            return True
        inner = above
    return False


def asks_for_first(program: Program, test: cst.BaseExpression) -> bool:
    """Whether a condition holds in the first process only: `rank == 0 and save`."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.And):
        return asks_for_first(program, test.left) or asks_for_first(program, test.right)
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return _RANK.fullmatch(program.text(test.expression)) is not None
    if not isinstance(test, cst.Comparison):
        return _FIRST.fullmatch(program.text(test)) is not None
    target = test.comparisons[0]
    is_zero = isinstance(target.comparator, cst.Integer) and target.comparator.evaluated_value == 0
    is_equal = len(test.comparisons) == 1 and isinstance(target.operator, cst.Equal)
    return is_zero and is_equal and _RANK.fullmatch(program.text(test.left)) is not None
