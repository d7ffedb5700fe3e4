"""`trainer_init_per_worker`: the function that made the `transformers.Trainer`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import own_returns
from migrate_trainers.refusal import Refusal

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program

# `train_dataset`, `eval_dataset` and the configuration.
_FEWEST_PARAMETERS = 3


@dataclass(frozen=True)
class InitFunction:
    """A `trainer_init_per_worker` of this file that nothing else uses and that can become the train function.

    `config` is the name of its `**` parameter, `datasets` the names of its first two.
    """

    node: cst.FunctionDef
    config: str | None
    datasets: tuple[str, ...]
    last: cst.Return


def check_parameters(program: Program, init: cst.Arg) -> None:
    """Refuse a function that TransformersTrainer refused: it counted the parameters, each star as one."""
    function: cst.CSTNode = init.value
    if isinstance(function, cst.Name):
        bindings = program.bindings(function)
        function = bindings[0].node if len(bindings) == 1 else function
    if not isinstance(function, cst.FunctionDef | cst.Lambda):
        return
    parameters = function.params
    named = [*parameters.posonly_params, *parameters.params, *parameters.kwonly_params]
    stars = [star for star in (parameters.star_arg, parameters.star_kwarg) if isinstance(star, cst.Param)]
    if len(named) + len(stars) < _FEWEST_PARAMETERS:
        raise Refusal("MT201", init, "it takes fewer than three parameters, which TransformersTrainer refused")


def convertible_function(program: Program, value: cst.BaseExpression) -> InitFunction | None:
    """The function behind `trainer_init_per_worker`, if it can become the train function in place."""
    if not isinstance(value, cst.Name):
        return None
    bindings = program.bindings(value)
    if len(bindings) != 1 or not isinstance(bindings[0].node, cst.FunctionDef):
        return None
    node = bindings[0].node
    if node.decorators or node.asynchronous is not None or len(program.uses(bindings[0])) != 1:
        return None
    parameters = node.params
    if parameters.kwonly_params or parameters.posonly_params or parameters.star_arg is not cst.MaybeSentinel.DEFAULT:
        return None
    if len(parameters.params) != 2 or not isinstance(node.body, cst.IndentedBlock):
        return None
    if any(program.contains(parameters, comment) for comment in program.comments):
        return None
    returns = own_returns(node.body)
    last = node.body.body[-1]
    if len(returns) != 1 or not isinstance(last, cst.SimpleStatementLine) or last.body[-1] is not returns[0]:
        return None
    if len(last.body) != 1 or returns[0].value is None:
        return None
    config = parameters.star_kwarg.name.value if parameters.star_kwarg is not None else None
    return InitFunction(node, config, tuple(parameter.name.value for parameter in parameters.params), returns[0])
