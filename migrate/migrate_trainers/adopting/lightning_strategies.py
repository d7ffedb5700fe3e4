"""Ray's strategy for the one that a `pl.Trainer` is given, with the same arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.values import lightning_name
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import is_none, string

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import Rewrite

# What each name stands for: the strategy and the arguments that Lightning gives it.
STRINGS: dict[str, tuple[str, str]] = {
    "auto": ("ddp", ""),
    "ddp": ("ddp", ""),
    "ddp_fork": ("ddp", ""),
    "ddp_notebook": ("ddp", ""),
    "ddp_spawn": ("ddp", ""),
    "ddp_find_unused_parameters_true": ("ddp", "find_unused_parameters=True"),
    "ddp_find_unused_parameters_false": ("ddp", "find_unused_parameters=False"),
    "fsdp": ("fsdp", ""),
    "fsdp_cpu_offload": ("fsdp", "cpu_offload=True"),
    "deepspeed": ("deepspeed", ""),
    "deepspeed_stage_1": ("deepspeed", "stage=1"),
    "deepspeed_stage_2": ("deepspeed", "stage=2"),
    "deepspeed_stage_3": ("deepspeed", "stage=3"),
}
_CLASSES = {"DDPStrategy": "ddp", "FSDPStrategy": "fsdp", "DeepSpeedStrategy": "deepspeed"}


def ray_strategy(rewrite: Rewrite, argument: cst.Arg | None) -> str:
    """The text of Ray's strategy; raises `Refusal` for what Ray has none for."""
    if argument is None or is_none(argument.value):
        return f"{_ray_class(rewrite, 'ddp')}()"
    value = argument.value
    name = string(value)
    if name in STRINGS:
        kind, given = STRINGS[name]
        return f"{_ray_class(rewrite, kind)}({given})"
    if isinstance(value, cst.Call):
        qualified = lightning_name(rewrite.program.qualified_name(value.func)) or ""
        kind = _CLASSES.get(qualified.rpartition(".")[2], "")
        if kind:
            text = rewrite.program.text(value)
            start = rewrite.program.span(value)[0]
            return f"{_ray_class(rewrite, kind)}{text[rewrite.program.span(value.func)[1] - start :]}"
    raise Refusal("MT603", argument, f"`{rewrite.program.text(value)}`")


def _ray_class(rewrite: Rewrite, kind: str) -> str:
    return rewrite.class_named(f"ray.train.lightning.{legacy.STRATEGIES[kind]}")
