"""Ray's strategy for the one that a `pl.Trainer` is given, with the same arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import lightning_name
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import is_none, string
from migrate_trainers.rules.unused_imports import remove_imports_of
from migrate_trainers.writing.arguments import keyword_argument

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

# What each name of Lightning's stands for: a strategy, and its arguments; how processes start is Ray's.
_STARTS = ("ddp", "ddp_spawn", "ddp_fork", "ddp_notebook")
NAMES: dict[str, tuple[str, str]] = {
    "auto": ("ddp", ""),
    **dict.fromkeys(_STARTS, ("ddp", "")),
    **{
        f"{name}_find_unused_parameters_{flag.lower()}": ("ddp", f"find_unused_parameters={flag}")
        for name in _STARTS
        for flag in ("True", "False")
    },
    "fsdp": ("fsdp", ""),
    "fsdp_cpu_offload": ("fsdp", "cpu_offload=True"),
    "deepspeed": ("deepspeed", ""),
    "deepspeed_stage_1": ("deepspeed", "stage=1"),
    "deepspeed_stage_2": ("deepspeed", "stage=2"),
    "deepspeed_stage_2_offload": ("deepspeed", "stage=2, offload_optimizer=True"),
    "deepspeed_stage_3": ("deepspeed", "stage=3"),
    "deepspeed_stage_3_offload": ("deepspeed", "stage=3, offload_optimizer=True, offload_parameters=True"),
    "deepspeed_stage_3_offload_nvme": (
        "deepspeed",
        'stage=3, offload_optimizer=True, offload_parameters=True, remote_device="nvme", offload_params_device="nvme", '
        'offload_optimizer_device="nvme"',
    ),
}
_CLASSES = {"DDPStrategy": "ddp", "FSDPStrategy": "fsdp", "DeepSpeedStrategy": "deepspeed"}
# What the process group is set up with, which Ray does.
_OF_GROUP = ("process_group_backend", "timeout")
# How processes start, and what tells Lightning about them: that is the environment among the plugins now.
_OF_PROCESSES = ("start_method", "cluster_environment", "parallel_devices")
_RAY = ("ray.train.lightning.", "train_runtime.lightning.")


def is_rays(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an expression makes one of the objects of `ray.train.lightning`, whichever way it goes."""
    node = _settled(program, node)
    if isinstance(node, cst.IfExp):
        return is_rays(program, node.body) and is_rays(program, node.orelse)
    name = program.qualified_name(node.func) if isinstance(node, cst.Call) else None
    return name is not None and name.startswith(_RAY)


def use_ray_strategy(rewrite: Rewrite, call: cst.Call) -> None:
    """Give a trainer the strategy of Ray's for its own; raises `Refusal` for what Ray has none for."""
    argument = keyword_argument(call, "strategy")
    if argument is None:
        text = f"{_ray_class(rewrite, 'ddp')}()"
        rewrite.arguments_of(call).append(lambda indent: f"strategy={text}")
        return
    made = _settled(rewrite.program, argument.value)
    if is_rays(rewrite.program, made):
        return
    if isinstance(made, cst.Call):
        _rename(rewrite, argument, made)
    else:
        rewrite.arguments_of(call).replace(argument, f"strategy={_named(rewrite, argument, argument.value)}")


def is_ddp(program: Program, call: cst.Call) -> bool:
    """Whether a trainer surely trains with DDP, or on one device, and so saves all of the model in one file."""
    argument = keyword_argument(call, "strategy")
    return argument is None or _is_ddp(program, argument.value)


def _is_ddp(program: Program, value: cst.BaseExpression) -> bool:
    if isinstance(value, cst.IfExp):
        return _is_ddp(program, value.body) and _is_ddp(program, value.orelse)
    settled = _settled(program, value)
    if isinstance(settled, cst.Call):
        return (program.qualified_name(settled.func) or "").endswith("DDPStrategy")
    return NAMES.get("auto" if is_none(settled) else string(settled) or "", ("", ""))[0] == "ddp"


def _named(rewrite: Rewrite, argument: cst.Arg, value: cst.BaseExpression) -> str:
    """Ray's strategy for a name, which may be chosen between several."""
    if isinstance(value, cst.IfExp):
        one, other = (_named(rewrite, argument, part) for part in (value.body, value.orelse))
        return one if one == other else f"{one} if {rewrite.program.text(value.test)} else {other}"
    settled = _settled(rewrite.program, value)
    name = "auto" if is_none(settled) else string(settled)
    if name not in NAMES:
        raise Refusal("MT603", argument, f"`{rewrite.program.text(value)}`")
    kind, given = NAMES[name]
    return f"{_ray_class(rewrite, kind)}({given})"


def _rename(rewrite: Rewrite, argument: cst.Arg, made: cst.Call) -> None:
    """Have Ray's class made where Lightning's was, without what Ray decides."""
    qualified = lightning_name(rewrite.program.qualified_name(made.func)) or ""
    kind = _CLASSES.get(qualified.rpartition(".")[2])
    if kind is None:
        raise Refusal("MT603", argument, f"`{rewrite.program.text(made.func)}`")
    rewrite.edits.append(Edit(*rewrite.program.span(made.func), _ray_class(rewrite, kind)))
    remove_imports_of(rewrite, made.func)
    for given in made.args:
        name = given.keyword.value if given.keyword is not None else ""
        if name in _OF_PROCESSES:
            rewrite.arguments_of(made).remove(given)
        elif name in _OF_GROUP:
            rewrite.review("MT608", given, f"`{name}`")


def _settled(program: Program, value: cst.BaseExpression) -> cst.BaseExpression:
    """What a variable that is assigned once holds, else the expression itself."""
    assigned = program.assigned_value(value) if isinstance(value, cst.Name) else None
    return assigned if assigned is not None else value


def _ray_class(rewrite: Rewrite, kind: str) -> str:
    return rewrite.class_named(f"ray.train.lightning.{legacy.STRATEGIES[kind]}")
