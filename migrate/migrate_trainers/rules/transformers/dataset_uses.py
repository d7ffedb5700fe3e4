"""What the function that makes the Trainer does with the datasets that Ray feeds it.

TransformersTrainer gave it iterable datasets of the `datasets` library. The train function gives it classes of its own
file, which a Trainer reads as well, but which have none of that library's methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.transformers.made_trainers import PARTIAL, functions_behind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program

_DATASET_PARAMETERS = 2


def check_uses(program: Program, function: cst.BaseExpression) -> None:
    """Raise `Refusal` where a function of the tree does more with the datasets than hand them to a Trainer."""
    for owner, definition, bound in _definitions(program, function):
        parameters = [*definition.params.posonly_params, *definition.params.params]
        for parameter in parameters[bound : bound + _DATASET_PARAMETERS]:
            for name in _reads(owner, definition, parameter):
                detail = _other_use(owner, name)
                if detail is not None:
                    raise Refusal("MT203", name if owner is program else function, detail)


def _definitions(
    program: Program, function: cst.BaseExpression
) -> Iterator[tuple[Program, cst.FunctionDef | cst.Lambda, int]]:
    """The functions that an expression may name, each with its file and the number of parameters that it binds."""
    pending: list[tuple[Program, cst.CSTNode, int]] = [(program, function, 0)]
    seen = set()
    while pending:
        owner, node, bound = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, cst.FunctionDef | cst.Lambda):
            yield owner, node, bound
        elif isinstance(node, cst.Call) and node.args and owner.qualified_name(node.func) == PARTIAL:
            given = sum(argument.keyword is None for argument in node.args[1:])
            pending.append((owner, node.args[0].value, bound + given))
        elif isinstance(node, cst.Attribute) and owner.qualified_name(node) is None:
            pending += [(owner, method, bound + _takes_self(owner, method)) for method in functions_behind(owner, node)]
        elif isinstance(node, cst.Name | cst.Attribute):
            pending += [(other, one.value or one.node, bound) for other, one in owner.definitions(node)]


def _takes_self(program: Program, method: cst.CSTNode) -> bool:
    decorators = method.decorators if isinstance(method, cst.FunctionDef) else ()
    return not any(program.is_builtin(one.decorator, "staticmethod") for one in decorators)


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
