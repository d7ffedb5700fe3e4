"""Which expressions of a loop are plain numbers, and which of them may be evaluated twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.plain_torch.data import counts
from migrate_trainers.adopting.plain_torch.variables import function_called
from migrate_trainers.reading.scopes import own_returns

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding

_BUILTINS = frozenset({"abs", "float", "int", "len", "max", "min", "round", "sum"})
_ALWAYS_NUMBERS = frozenset({"float", "int", "len", "round"})
_METHODS = frozenset({"item", "get_last_lr"})


class Numbers:
    """Answers about the expressions of one loop over epochs, or of a function that each epoch calls."""

    def __init__(self, program: Program, epoch: cst.For | cst.FunctionDef) -> None:
        self._program = program
        self._epoch = epoch

    def changes(self, name: cst.Name) -> bool:
        """Whether an epoch binds the variable that a name reads."""
        return any(
            binding.node is self._epoch or self._program.contains(self._epoch.body, binding.node)
            for binding in self._program.bindings(name)
        )

    def can_be_repeated(self, node: cst.BaseExpression) -> bool:
        """Whether an expression may be evaluated once more, right behind its first time."""
        if isinstance(node, cst.Name | cst.BaseNumber | cst.SimpleString):
            return True
        if isinstance(node, cst.Attribute):
            return self.can_be_repeated(node.value)
        if isinstance(node, cst.BinaryOperation):
            return self.can_be_repeated(node.left) and self.can_be_repeated(node.right)
        if isinstance(node, cst.UnaryOperation):
            return self.can_be_repeated(node.expression)
        if isinstance(node, cst.Subscript):
            indices = [one.slice.value for one in node.slice if isinstance(one.slice, cst.Index)]
            is_read = len(indices) == len(node.slice) and all(self.can_be_repeated(one) for one in indices)
            return is_read and self.can_be_repeated(node.value)
        if not isinstance(node, cst.Call) or any(one.star or one.keyword for one in node.args):
            return False
        if not all(self.can_be_repeated(one.value) for one in node.args):
            return False
        if isinstance(node.func, cst.Attribute):
            return node.func.attr.value in _METHODS and self.can_be_repeated(node.func.value)
        return any(self._program.is_builtin(node.func, name) for name in _BUILTINS)

    def is_number(self, node: cst.BaseExpression, depth: int = 0) -> bool:
        """Whether an expression surely gives an `int` or a `float`."""
        if isinstance(node, cst.BaseNumber):
            return not isinstance(node, cst.Imaginary)
        if isinstance(node, cst.Name):
            bindings = self._program.bindings(node)
            return bool(bindings) and depth < 10 and all(self._binds_number(one, depth + 1) for one in bindings)
        if isinstance(node, cst.BinaryOperation):
            return self.is_number(node.left, depth) and self.is_number(node.right, depth)
        if isinstance(node, cst.UnaryOperation):
            return self.is_number(node.expression, depth) and not isinstance(node.operator, cst.Not)
        if not isinstance(node, cst.Call):
            return False
        if isinstance(node.func, cst.Attribute):
            return node.func.attr.value == "item" and not node.args
        if any(self._program.is_builtin(node.func, name) for name in _ALWAYS_NUMBERS):
            return True
        function = function_called(self._program, node)
        if function is None or depth >= 10:
            return False
        returned = [one.value for one in own_returns(function.body)]
        return bool(returned) and all(value is not None and self.is_number(value, depth + 1) for value in returned)

    def _binds_number(self, binding: Binding, depth: int) -> bool:
        node = binding.node
        if isinstance(node, cst.For):
            return isinstance(node.target, cst.Name) and counts(node.iter)
        if isinstance(node, cst.AugAssign):
            return self.is_number(node.value, depth)
        return binding.value is not None and self.is_number(binding.value, depth)
