"""`trainer_init_per_worker`: the function that made the `transformers.Trainer`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import BindingKind, own_returns
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.transformers.signature import read_signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.transformers.signature import Signature

# `train_dataset`, `eval_dataset` and the configuration.
_FEWEST_PARAMETERS = 3
_DEFINING = (BindingKind.FUNCTION, BindingKind.CLASS, BindingKind.IMPORT)
# Builtins that see which names a function has.
_FRAME_READERS = frozenset({"locals", "vars", "dir", "eval", "exec"})


@dataclass(frozen=True)
class InitFunction:
    """A `trainer_init_per_worker` of this file that only trainers use, and that can become the train function.

    Each of its `returns` is the last that the function does.
    """

    node: cst.FunctionDef
    signature: Signature
    returns: tuple[cst.Return, ...]


def check_function(program: Program, init: cst.Arg) -> None:
    """Refuse a function that TransformersTrainer refused, or whose result it couldn't train."""
    function = _definition(program, init.value)
    if isinstance(function, cst.FunctionDef):
        if function.asynchronous is not None:
            raise Refusal("MT106", init, f"`{function.name.value}` is a coroutine function, which makes no Trainer")
        if _yields(function.body):
            raise Refusal("MT106", init, f"`{function.name.value}` is a generator function, which makes no Trainer")
    # It counted the parameters, each star as one.
    if function is not None and _number_of_parameters(function) < _FEWEST_PARAMETERS:
        raise Refusal("MT201", init, "it takes fewer than three parameters, which TransformersTrainer refused")


def _definition(program: Program, value: cst.BaseExpression) -> cst.FunctionDef | cst.Lambda | None:
    """The function that an expression names, in this file or in another one of the tree, or the lambda that it is."""
    if isinstance(value, cst.Lambda):
        return value
    found = [binding for _, binding in program.definitions(value)]
    if len(found) != 1:
        return None
    node = found[0].value if isinstance(found[0].value, cst.Lambda) else found[0].node
    if isinstance(node, cst.FunctionDef) and node.decorators:
        return None
    return node if isinstance(node, cst.FunctionDef | cst.Lambda) else None


def _number_of_parameters(function: cst.FunctionDef | cst.Lambda) -> int:
    parameters = function.params
    named = [*parameters.posonly_params, *parameters.params, *parameters.kwonly_params]
    stars = [star for star in (parameters.star_arg, parameters.star_kwarg) if isinstance(star, cst.Param)]
    return len(named) + len(stars)


def _yields(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.Yield):
        return True
    return not isinstance(node, cst.FunctionDef | cst.ClassDef | cst.Lambda) and any(map(_yields, node.children))


def definition_of(program: Program, value: cst.BaseExpression) -> Binding | None:
    """The one definition, or import, of the function that a variable holds."""
    bindings = program.bindings(value) if isinstance(value, cst.Name) else ()
    return bindings[0] if len(bindings) == 1 and bindings[0].kind in _DEFINING else None


def convertible_function(rewrite: Rewrite, values: Sequence[cst.BaseExpression]) -> InitFunction | None:
    """The function that some trainers are given, if it can become their train function where it stands."""
    program = rewrite.program
    function = definition_of(program, values[0])
    if function is None or set(program.uses(function)) != set(values):
        return None
    node = function.node
    if not isinstance(node, cst.FunctionDef) or program.file_of(node) is not program.file_of(values[0]):
        return None
    if _is_offered(program, function):
        return None
    if node.decorators or not isinstance(node.body, cst.IndentedBlock) or not rewrite.imports.reaches(node):
        return None
    if _has_comments_in_signature(program, node):
        return None
    if any(program.is_builtin(name, name.value) and name.value in _FRAME_READERS for name in _names(program, node)):
        return None
    signature = read_signature(program, node, node)
    returns = own_returns(node.body)
    if signature is None or not returns or any(one.value is None for one in returns):
        return None
    if _last_returns(node.body) != returns or (
        len(returns) > 1 and any(isinstance(r.value, cst.Name) for r in returns)
    ):
        return None
    return InitFunction(node, signature, tuple(returns))


def _has_comments_in_signature(program: Program, node: cst.FunctionDef) -> bool:
    """Whether comments stand between the parentheses of a function, where a shorter signature has no place for them."""
    behind_name = program.span(node.name)[1]
    return any(
        program.contains(node, comment) and not program.contains(node.body, comment)
        for comment in program.comments
        if program.span(comment)[0] > behind_name
    )


def _is_offered(program: Program, function: Binding) -> bool:
    """Whether other modules may use a function: one of the tree imports it, or `__all__` names it."""
    if function.scope.parent is not None:
        return False
    exports = [binding.node for binding in function.scope.bindings.get("__all__", ())]
    is_named = any(
        isinstance(string, cst.SimpleString)
        and string.evaluated_value == function.name
        and any(program.contains(export, string) for export in exports)
        for string in program.strings
    )
    return is_named or program.file_of(function.node).is_taken(function.name)


def _names(program: Program, node: cst.CSTNode) -> list[cst.Name]:
    return [name for name in program.names if program.contains(node, name)]


def _last_returns(block: cst.CSTNode) -> list[cst.Return]:
    """The `return`s that end a block, if each way through it ends with one; behind none of them anything runs."""
    if not isinstance(block, cst.IndentedBlock):
        return []
    last = block.body[-1]
    if isinstance(last, cst.SimpleStatementLine):
        # Alone on its line, as others follow it.
        return [one for one in last.body if isinstance(one, cst.Return)] if len(last.body) == 1 else []
    if isinstance(last, cst.With):
        return _last_returns(last.body)
    if isinstance(last, cst.If):
        return _joined(_blocks_of(last))
    if isinstance(last, cst.Try) and last.orelse is None:
        return _joined([last.body, *(handler.body for handler in last.handlers)])
    return []


def _blocks_of(statement: cst.If) -> list[cst.CSTNode]:
    """The blocks of an `if` with all its branches, and none of one that may run no branch."""
    if statement.orelse is None:
        return []
    rest = _blocks_of(statement.orelse) if isinstance(statement.orelse, cst.If) else [statement.orelse.body]
    return [statement.body, *rest] if rest else []


def _joined(blocks: Sequence[cst.CSTNode]) -> list[cst.Return]:
    found = [_last_returns(block) for block in blocks]
    return [one for returns in found for one in returns] if all(found) else []
