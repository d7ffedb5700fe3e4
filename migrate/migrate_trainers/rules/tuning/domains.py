"""What of a configuration a search may replace: `tune.choice(...)` and its kin, wherever they may be hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program


def may_hold_domain(program: Program, value: cst.BaseExpression) -> bool:
    """Whether an expression gives something that Tune samples, or may do so."""
    if isinstance(value, cst.BaseNumber | cst.SimpleString | cst.ConcatenatedString | cst.FormattedString | cst.Lambda):
        return False
    if isinstance(value, cst.Name):
        bindings = program.bindings(value)
        if not bindings:
            return False
        if all(binding.kind in (BindingKind.FUNCTION, BindingKind.CLASS) for binding in bindings):
            return False
        return len(bindings) > 1 or bindings[0].value is None or may_hold_domain(program, bindings[0].value)
    if isinstance(value, cst.Call):
        qualified = program.qualified_name(value.func)
        if qualified in legacy.TUNE_DOMAINS:
            return True
        if isinstance(value.func, cst.Name) and not program.bindings(value.func):
            return any(may_hold_domain(program, argument.value) for argument in value.args)
        # What a constructor keeps is out of Tune's reach; a function of the script may return anything.
        name = value.func.attr.value if isinstance(value.func, cst.Attribute) else program.text(value.func)
        return not name[:1].isupper()
    if isinstance(value, cst.List | cst.Tuple | cst.Dict):
        return any(may_hold_domain(program, element.value) for element in value.elements)
    if isinstance(value, cst.Attribute):
        return not value.attr.value[:1].isupper()
    return True


def is_surely_a_dictionary(program: Program, value: cst.BaseExpression) -> bool:
    """Whether an expression is a dictionary that the script writes out, or names one."""
    if isinstance(value, cst.Name):
        bindings = program.bindings(value)
        only = bindings[0].value if len(bindings) == 1 else None
        return only is not None and is_surely_a_dictionary(program, only)
    return isinstance(value, cst.Dict) or (isinstance(value, cst.Call) and program.is_builtin(value.func, "dict"))


def is_never_a_dictionary(program: Program, value: cst.BaseExpression) -> bool:
    """Whether an expression, and whatever Tune samples for it, surely is no dictionary."""
    if isinstance(value, cst.BaseNumber | cst.SimpleString | cst.FormattedString | cst.List | cst.Tuple | cst.Lambda):
        return True
    if isinstance(value, cst.UnaryOperation):
        return is_never_a_dictionary(program, value.expression)
    if isinstance(value, cst.Name):
        bindings = program.bindings(value)
        if not bindings:
            return value.value in ("True", "False", "None")
        only = bindings[0].value if len(bindings) == 1 else None
        return only is not None and is_never_a_dictionary(program, only)
    if isinstance(value, cst.Call):
        qualified = program.qualified_name(value.func)
        if qualified in legacy.TUNE_CHOICES and value.args and isinstance(value.args[0].value, cst.List | cst.Tuple):
            return all(is_never_a_dictionary(program, element.value) for element in value.args[0].value.elements)
        return qualified in legacy.TUNE_NUMBERS
    return False
