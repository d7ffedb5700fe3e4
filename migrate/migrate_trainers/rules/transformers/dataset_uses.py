"""What the function that makes the Trainer does with the datasets that Ray feeds it.

TransformersTrainer gave it iterable datasets of the `datasets` library. The train function gives it classes of its own
file, which a Trainer reads as well, but which have none of that library's methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.refusal import Refusal

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program

_DATASET_PARAMETERS = 2


def check_uses(program: Program, function: cst.BaseExpression) -> None:
    """Raise `Refusal` where a function of this file does more with the datasets than hand them to a Trainer."""
    for definition in _definitions(program, function):
        parameters = [*definition.params.posonly_params, *definition.params.params][:_DATASET_PARAMETERS]
        for parameter in parameters:
            for name in _reads(program, definition, parameter):
                detail = _other_use(program, name)
                if detail is not None:
                    raise Refusal("MT203", name, detail)


def _definitions(program: Program, function: cst.BaseExpression) -> list[cst.FunctionDef | cst.Lambda]:
    nodes: list[cst.CSTNode] = [function]
    if isinstance(function, cst.Name):
        nodes = [binding.value or binding.node for binding in program.bindings(function)]
    return [node for node in nodes if isinstance(node, cst.FunctionDef | cst.Lambda)]


def _reads(program: Program, definition: cst.FunctionDef | cst.Lambda, parameter: cst.Param) -> list[cst.Name]:
    """The places where a function reads what it was given as a parameter."""
    bindings = program.scope(definition.body).bindings.get(parameter.name.value, [])
    own = [binding for binding in bindings if binding.kind is BindingKind.PARAMETER]
    return [name for binding in own for name in program.uses(binding) if binding in program.reaching(name)]


def _other_use(program: Program, name: cst.Name) -> str | None:
    """What is done with a dataset beside passing it on, None for what any dataset can."""
    above = program.parent(name)
    if isinstance(above, cst.Attribute) and above.value is name:
        return f"`{name.value}.{above.attr.value}` is a method of the `datasets` library"
    if isinstance(above, cst.Subscript) and above.value is name:
        return f"`{name.value}` has no columns or rows by number"
    call = program.parent(above) if isinstance(above, cst.Arg) else None
    if isinstance(call, cst.Call):
        made = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
        if isinstance(made, cst.Name) and made.value[:1].isupper() and not made.value.endswith("Trainer"):
            return f"`{made.value}` makes another dataset of it"
    return None
