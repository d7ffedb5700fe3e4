"""Reading `accelerate_config`: what it set that a worker's Accelerator has to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.accelerate.settings import (
    DEEPSPEED_VARIABLES,
    DYNAMO_VARIABLES,
    FSDP_VARIABLES,
    PLAIN_TYPES,
    WITHOUT_EFFECT,
    AccelerateSettings,
)
from migrate_trainers.rules.configs import uses_gpu
from migrate_trainers.rules.literals import is_flag, is_none, string, written_out

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import CallSite, Rewrite

_LOCAL_MAIN_PROCESS = frozenset({"is_local_main_process", "on_local_main_process"})


def read_settings(rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg]) -> AccelerateSettings:
    """What a trainer told accelerate; its argument is dropped from the call. Raises `Refusal`."""
    settings = AccelerateSettings()
    argument = arguments.get("accelerate_config")
    if argument is None or is_none(argument.value):
        rewrite.review("MT310", site.call, "")
    else:
        _read_dictionary(rewrite, argument, settings)
    if argument is not None:
        rewrite.arguments_of(site.call).remove(argument)
    scaling = arguments.get("scaling_config")
    gpu = uses_gpu(rewrite, scaling.value if scaling is not None else None)
    if gpu is None:
        rewrite.review("MT312", scaling or site.call, "")
    elif not gpu:
        settings.keywords["cpu"] = "True"
        _warn_of_local_main_process(rewrite)
    return settings


def _read_dictionary(rewrite: Rewrite, argument: cst.Arg, settings: AccelerateSettings) -> None:
    entries = written_out(rewrite, argument.value)
    if entries is None:
        raise Refusal("MT301", argument, "it is not a dictionary that is written out for this trainer alone")
    kind = entries.pop("distributed_type", None)
    kind_name = "NO" if kind is None else string(kind)
    if kind_name is None:
        raise Refusal("MT301", argument, "`distributed_type` is not a literal")
    if kind_name not in (*PLAIN_TYPES, "FSDP", "DEEPSPEED"):
        raise Refusal("MT302", argument, f"`distributed_type` {kind_name}")
    for key, entry in entries.items():
        _read_entry(rewrite, key, entry, kind_name, settings)
    if kind_name in ("FSDP", "DEEPSPEED"):
        settings.variables[f"ACCELERATE_USE_{kind_name}"] = '"true"'


def _read_entry(rewrite: Rewrite, key: str, entry: cst.BaseExpression, kind: str, settings: AccelerateSettings) -> None:
    """Add what one key of the configuration sets; raises `Refusal` if that can't be carried over."""
    if is_none(entry) or (key in WITHOUT_EFFECT and string(entry) != "AMAZON_SAGEMAKER"):
        return
    if key == "gpu_ids":
        rewrite.review("MT311", entry, "`gpu_ids` chose the visible devices; Ray assigns them to the workers")
    elif key in ("mixed_precision", "dynamo_backend"):
        value = string(entry)
        if value is None:
            raise Refusal("MT301", entry, f"`{key}` is not a literal")
        if value.lower() != "no":
            settings.keywords[key] = f'"{value.lower()}"'
    elif key == "dynamo_config":
        settings.variables |= _variables(rewrite, entry, DYNAMO_VARIABLES)
        if settings.variables.get("ACCELERATE_DYNAMO_BACKEND") in (None, '"NO"', '"no"'):
            for name in DYNAMO_VARIABLES.values():
                settings.variables.pop(name, None)
    elif key == "fsdp_config" and kind == "FSDP":
        settings.variables |= _variables(rewrite, entry, FSDP_VARIABLES)
    elif key == "deepspeed_config" and kind == "DEEPSPEED":
        settings.variables |= _variables(rewrite, entry, DEEPSPEED_VARIABLES)
    elif written_out(rewrite, entry) != {}:
        raise Refusal("MT302", entry, f"`{key}`")


def _variables(rewrite: Rewrite, node: cst.BaseExpression, names: dict[str, str]) -> dict[str, str]:
    """Environment variables for a nested dictionary of literals."""
    entries = written_out(rewrite, node)
    if entries is None:
        raise Refusal("MT301", node, "it is not a dictionary that is written out for this trainer alone")
    variables = {}
    for key, entry in entries.items():
        if is_none(entry):
            continue
        if key not in names:
            raise Refusal("MT302", entry, f"`{key}`")
        text = string(entry)
        if text is None:
            if not isinstance(entry, cst.Integer | cst.Float) and not is_flag(entry):
                raise Refusal("MT301", entry, f"`{key}` is not a literal")
            text = rewrite.program.text(entry)
        if is_flag(entry):
            text = text.lower()
        variables[names[key]] = f'"{text}"'
    return variables


def _warn_of_local_main_process(rewrite: Rewrite) -> None:
    for attribute in rewrite.program.attributes:
        if attribute.attr.value in _LOCAL_MAIN_PROCESS:
            rewrite.review("MT313", attribute, f"`{attribute.attr.value}`")
            return
