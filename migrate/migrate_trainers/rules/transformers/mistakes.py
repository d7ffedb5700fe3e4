"""Arguments that TransformersTrainer refused when it ran: migrated, they would train as nobody has seen it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.configs import arguments_behind
from migrate_trainers.rules.literals import entries_of
from migrate_trainers.rules.transformers.training_arguments import choice

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.transformers.training_arguments import GivenArguments, TrainersArguments

EVALUATION_STRATEGY = ("evaluation_strategy", "eval_strategy")
_DEFAULT_STEPS = 500


def refuse_mistakes(rewrite: Rewrite, arguments: dict[str, cst.Arg], given: TrainersArguments) -> None:
    """Raise `Refusal` for what the legacy trainer surely refused."""
    _check_gpus(rewrite, arguments.get("scaling_config"))
    if given.is_settled and len(given.given) == 1:
        _check_schedule(rewrite.program, given.given[0])


def _check_gpus(rewrite: Rewrite, scaling: cst.Arg | None) -> None:
    """Transformers takes one GPU a worker, and the legacy trainer saw to it."""
    found = arguments_behind(rewrite, scaling.value, "ScalingConfig") if scaling is not None else None
    resources = (found or {}).get("resources_per_worker")
    gpus = (entries_of(rewrite.program, resources.value) or {}).get("GPU") if resources is not None else None
    number = gpus.evaluated_value if isinstance(gpus, cst.Integer | cst.Float) else None
    if gpus is not None and number is not None and (number > 1 or number != int(number)):
        raise Refusal("MT106", gpus, "TransformersTrainer took neither several GPUs a worker nor a part of one")


def _check_schedule(program: Program, given: GivenArguments) -> None:
    best = given.value("load_best_model_at_end")
    if isinstance(best, cst.Name) and best.value == "True":
        raise Refusal("MT208", best, "`load_best_model_at_end` had to be False")
    if given.hides_some:
        return
    logging = _strategy(program, given, "steps", "logging_strategy")
    evaluation = _strategy(program, given, "no", *EVALUATION_STRATEGY)
    saving = _strategy(program, given, "steps", "save_strategy")
    for name, strategy in (("evaluation", evaluation), ("save", saving)):
        if logging and strategy and strategy not in ("no", logging):
            detail = f'the {name} strategy is "{strategy}", that of the logs "{logging}"; they had to be equal'
            raise Refusal("MT208", given.call, detail)
    steps = _steps(given, "logging_steps")
    saves, evaluates = _steps(given, "save_steps"), _steps(given, "eval_steps", default=steps)
    if saving == "steps" and steps and saves and saves % steps:
        detail = f"`save_steps` is {saves}, and had to be a multiple of `logging_steps`, {steps}"
        raise Refusal("MT208", given.call, detail)
    if evaluation == "steps" and steps and evaluates and evaluates != steps:
        raise Refusal("MT208", given.call, f"`eval_steps` is {evaluates}, and had to be that of the logs, {steps}")


def _strategy(program: Program, given: GivenArguments, default: str, *names: str) -> str | None:
    """A strategy, None where only the running script knows it."""
    value = given.value(*names)
    return default if value is None else choice(program, value)


def _steps(given: GivenArguments, name: str, default: int | None = _DEFAULT_STEPS) -> int | None:
    """A whole number of steps, None where only the running script knows it."""
    value = given.value(name)
    if value is None or (isinstance(value, cst.Name) and value.value == "None"):
        return default
    number = value.evaluated_value if isinstance(value, cst.Integer | cst.Float) else None
    return int(number) if number is not None and number >= 1 else None
