"""Whether a dictionary may hold a model, or its state, that is wrapped for several workers.

Ray 2.6 and before took `module.` off the names in such a state, and the model out of the wrapper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding

_PLAIN = (cst.BaseNumber, cst.BaseString, cst.Comparison, cst.UnaryOperation, cst.List, cst.Tuple, cst.BaseComp)
# Methods that give numbers, or what has no wrapper.
_PLAIN_METHODS = ("item", "unwrap_model", "get_state_dict", "tolist", "get_last_lr")
_PLAIN_BUILTINS = ("int", "float", "str", "len", "bool", "list", "round", "sum", "max", "min")
_COUNTING = ("range", "enumerate")


def may_be_wrapped(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an expression may be something wrapped, or a dictionary that has such a value."""
    if isinstance(node, cst.Dict):
        return any(_may_be_wrapped(program, element.value) for element in node.elements)
    if isinstance(node, cst.Call) and program.is_builtin(node.func, "dict"):
        return any(_may_be_wrapped(program, argument.value) for argument in node.args)
    return _may_be_wrapped(program, node)


def _may_be_wrapped(program: Program, node: cst.BaseExpression, depth: int = 0) -> bool:
    if isinstance(node, _PLAIN):
        return False
    if isinstance(node, cst.BinaryOperation):
        return not isinstance(node.operator, cst.Add | cst.Subtract | cst.Multiply | cst.Divide | cst.FloorDivide)
    if isinstance(node, cst.Call):
        return _may_give_wrapped(program, node, depth)
    if isinstance(node, cst.Name) and depth < 9:
        if node.value in ("None", "True", "False"):
            return False
        bindings = program.bindings(node)
        return not bindings or any(_may_hold_wrapped(program, binding, depth + 1) for binding in bindings)
    return True


def _may_give_wrapped(program: Program, call: cst.Call, depth: int) -> bool:
    if any(program.is_builtin(call.func, name) for name in _PLAIN_BUILTINS):
        return False
    if not isinstance(call.func, cst.Attribute):
        return True
    method, owner = call.func.attr.value, call.func.value
    if method != "state_dict":
        return method not in _PLAIN_METHODS
    if isinstance(owner, cst.Attribute):
        return owner.attr.value != "module"
    return _may_be_wrapped(program, owner, depth)


def _may_hold_wrapped(program: Program, binding: Binding, depth: int) -> bool:
    node = binding.node
    if isinstance(node, cst.For | cst.CompFor):
        call = node.iter
        return not (isinstance(call, cst.Call) and any(program.is_builtin(call.func, name) for name in _COUNTING))
    if binding.kind is not BindingKind.ASSIGNMENT or binding.value is None:
        return not isinstance(node, cst.AugAssign)
    if any(_may_be_filled(program, use) for use in program.uses(binding)):
        return True
    return may_be_wrapped(program, binding.value) if depth < 2 else _may_be_wrapped(program, binding.value, depth)


def _may_be_filled(program: Program, use: cst.Name) -> bool:
    """Whether something may be put into a dictionary where it is used."""
    above = program.parent(use)
    if isinstance(above, cst.Subscript):
        return above.value is use and isinstance(program.parent(above), cst.AssignTarget)
    return isinstance(above, cst.Attribute) and above.attr.value in ("update", "setdefault")
