"""What the driver does from now on: it gives the train function to a TorchTrainer, and has its `Result`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.adopting.region import Place
from migrate_trainers.writing.render import Argument, call

if TYPE_CHECKING:
    from migrate_trainers.adopting.moving import Moves
    from migrate_trainers.adopting.region import Region
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.settings import Adoption


@dataclass(frozen=True)
class Names:
    """How new code calls the train function, the trainer and the result."""

    function: str
    trainer: str
    result: str


def driver_names(rewrite: Rewrite, region: Region, moves: Moves, function: str = "") -> Names:
    """Names that mean nothing else where the driver's lines stand; the function may have one."""
    return Names(
        function or rewrite.new_name("train_func"),
        _variable(rewrite, region, moves, "trainer", "torch_trainer"),
        _variable(rewrite, region, moves, "result", "train_result"),
    )


def _variable(rewrite: Rewrite, region: Region, moves: Moves, *candidates: str) -> str:
    """A variable of the driver's: what moved statements alone have bound is free again."""
    program = rewrite.program
    freed = moves.freed if region.place is not Place.TRAIN_FUNCTION else frozenset()
    for name in candidates:
        bound = {*region.scope.bindings, *program.module_scope.bindings}
        is_ours = name not in bound or (name in freed and name not in (bound - set(region.scope.bindings)))
        if is_ours and name not in program.unresolved_names():
            rewrite.imports.reserve(name)
            return name
    return rewrite.new_name(*candidates)


def scaling_config(rewrite: Rewrite, adoption: Adoption) -> str:
    """The workers that an adopted script trains on."""
    scaling = rewrite.class_named("ray.train.ScalingConfig")
    return f"{scaling}(num_workers={adoption.num_workers}, use_gpu={adoption.use_gpu})"


def driver_lines(rewrite: Rewrite, scaling: str, names: Names, config: str, indent: str) -> str:
    """The statements that make the trainer and fit it, for a block of some indentation."""
    unit = rewrite.program.module.default_indent
    arguments = [Argument(names.function)]
    if config:
        arguments.append(Argument(config, "train_loop_config"))
    arguments.append(Argument(scaling, "scaling_config"))
    trainer = rewrite.class_named("ray.train.torch.TorchTrainer")
    made = call(trainer, arguments, indent, unit, before=f"{names.trainer} = ", spread=bool(config))
    return f"{indent}{names.trainer} = {made}\n{indent}{names.result} = {names.trainer}.fit()\n"
