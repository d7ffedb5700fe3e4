"""RunConfig and its kin: old argument forms to those that the target takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import Binding, BindingKind
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import entries_of, is_flag, is_none
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.settings import Version


def config_class(program: Program, node: cst.BaseExpression) -> str | None:
    """`RunConfig` for a call that makes one, by whichever path it was imported."""
    if not isinstance(node, cst.Call):
        return None
    return legacy.CONFIG_CLASSES.get(program.qualified_name(node.func) or "")


def fields(name: str, source_version: Version | None) -> tuple[str, ...]:
    """The positional order of a configuration class in the Ray that the code was written for."""
    if name == "RunConfig":
        first = max(
            version for version in legacy.RUN_CONFIG_FIELDS if version <= (source_version or legacy.USUAL_SOURCE)
        )
        return legacy.RUN_CONFIG_FIELDS[first]
    return {
        "ScalingConfig": legacy.SCALING_CONFIG_FIELDS,
        "CheckpointConfig": legacy.CHECKPOINT_CONFIG_FIELDS,
        "FailureConfig": legacy.FAILURE_CONFIG_FIELDS,
    }.get(name, ())


@dataclass(frozen=True)
class ConfigCall:
    """A configuration as far as it can be seen: the call that makes it and, if it was named, the variable."""

    call: cst.Call
    variable: Binding | None


def find_config_call(program: Program, value: cst.BaseExpression, name: str) -> ConfigCall | None:
    """The call behind a value: itself, or what its only binding assigns."""
    if config_class(program, value) == name:
        assert isinstance(value, cst.Call)
        return ConfigCall(value, None)
    if not isinstance(value, cst.Name):
        return None
    bindings = program.bindings(value)
    if len(bindings) != 1 or bindings[0].kind is not BindingKind.ASSIGNMENT or bindings[0].value is None:
        return None
    if config_class(program, bindings[0].value) != name:
        return None
    assert isinstance(bindings[0].value, cst.Call)
    return ConfigCall(bindings[0].value, bindings[0])


def config_arguments(rewrite: Rewrite, call: cst.Call) -> dict[str, cst.Arg] | None:
    """A configuration call's arguments by field, or None where a star hides them."""
    name = config_class(rewrite.program, call) or ""
    return bound_arguments(call, fields(name, rewrite.settings.source_version))


def arguments_behind(rewrite: Rewrite, value: cst.BaseExpression, name: str) -> dict[str, cst.Arg] | None:
    """The arguments of the configuration that a value is or names, None where they can't be seen."""
    found = find_config_call(rewrite.program, value, name)
    return config_arguments(rewrite, found.call) if found else None


def uses_gpu(rewrite: Rewrite, scaling_config: cst.BaseExpression | None) -> bool | None:
    """What `use_gpu` a trainer's ScalingConfig says, None where that can't be seen."""
    entries = _scaling_entries(rewrite, scaling_config)
    if entries is None:
        return None
    value = entries.get("use_gpu")
    if value is None:
        return False
    return value.value == "True" if isinstance(value, cst.Name) and is_flag(value) else None


def lacks_workers(rewrite: Rewrite, scaling_config: cst.BaseExpression | None) -> bool:
    """Whether a trainer's ScalingConfig surely says no `num_workers`, which the legacy trainers refused."""
    entries = _scaling_entries(rewrite, scaling_config)
    if entries is None or _assigns_workers(rewrite, scaling_config):
        return False
    return is_none(entries.get("num_workers", cst.Name("None")))


def has_one_worker(rewrite: Rewrite, scaling_config: cst.BaseExpression) -> bool:
    """Whether a trainer's ScalingConfig surely says `num_workers=1`."""
    number = (_scaling_entries(rewrite, scaling_config) or {}).get("num_workers")
    is_one = isinstance(number, cst.Integer) and number.evaluated_value == 1
    return is_one and not _assigns_workers(rewrite, scaling_config)


def _scaling_entries(
    rewrite: Rewrite, scaling_config: cst.BaseExpression | None
) -> dict[str, cst.BaseExpression] | None:
    """What a trainer's ScalingConfig, or the dictionary in its place, says by field; None where that can't be seen."""
    if scaling_config is None or is_none(scaling_config):
        return {}
    dictionary = dictionary_behind(rewrite.program, scaling_config)
    if dictionary is not None:
        return entries_of(rewrite.program, dictionary)
    arguments = arguments_behind(rewrite, scaling_config, "ScalingConfig")
    return None if arguments is None else {name: argument.value for name, argument in arguments.items()}


def _assigns_workers(rewrite: Rewrite, scaling_config: cst.BaseExpression | None) -> bool:
    """Whether the number of workers is assigned after the ScalingConfig was made."""
    program = rewrite.program
    return scaling_config is not None and f"{program.text(scaling_config)}.num_workers" in program.assigned_attributes


def dictionary_behind(program: Program, value: cst.BaseExpression) -> cst.Dict | cst.Call | None:
    """The dictionary that a value is or names: the legacy trainers made a ScalingConfig of one."""
    if isinstance(value, cst.Name):
        bindings = program.bindings(value)
        if len(bindings) != 1 or bindings[0].value is None:
            return None
        value = bindings[0].value
    if isinstance(value, cst.Call) and program.is_builtin(value.func, "dict"):
        return value
    return value if isinstance(value, cst.Dict) else None


def migrate_configs(rewrite: Rewrite) -> None:
    """Rewrite the arguments of every configuration made in the file; raises `Refusal`."""
    for call in rewrite.program.calls:
        name = config_class(rewrite.program, call)
        if name in legacy.DROPPED_ARGUMENTS and call not in rewrite.tuner_configs:
            assert name is not None
            _migrate_config(rewrite, call, name)


def _migrate_config(rewrite: Rewrite, call: cst.Call, name: str) -> None:
    arguments = config_arguments(rewrite, call)
    if arguments is None:
        if any(not argument.star and argument.keyword is None for argument in call.args):
            raise Refusal("MT104", call, f"the positional arguments of `{name}` have another order in the target")
        return
    first = arguments.get("trainer_resources")
    if name == "ScalingConfig" and first is not None and first.keyword is None and not _is_off(first.value):
        raise Refusal("MT106", first, "the first positional argument of `ScalingConfig` is `trainer_resources`")
    edits = rewrite.arguments_of(call)
    for field, argument in arguments.items():
        if field == "local_dir":
            _migrate_local_dir(rewrite, call, argument, arguments)
        elif rewrite.settings.strict_target and field in legacy.REFUSED_ARGUMENTS[name] and not _is_off(argument.value):
            raise Refusal("MT403", argument, f"`{name}({field}=...)`")
        elif rewrite.settings.strict_target and (
            field in legacy.REFUSED_ARGUMENTS[name] or field in legacy.DROPPED_ARGUMENTS[name]
        ):
            if not _is_off(argument.value):
                rewrite.review("MT402", argument, f"`{name}({field}=...)`")
            edits.remove(argument)
        elif argument.keyword is None:
            edits.rename(argument, field)


def _migrate_local_dir(rewrite: Rewrite, call: cst.Call, argument: cst.Arg, arguments: dict[str, cst.Arg]) -> None:
    edits = rewrite.arguments_of(call)
    if _is_off(argument.value):
        edits.remove(argument)
    elif "storage_path" in arguments and not _is_off(arguments["storage_path"].value):
        rewrite.review("MT402", argument, "`local_dir` beside `storage_path` was only a staging folder")
        edits.remove(argument)
    else:
        if "storage_path" in arguments:
            edits.remove(arguments["storage_path"])
        edits.rename(argument, "storage_path")


def _is_off(node: cst.BaseExpression) -> bool:
    """Whether a value is what the legacy classes took for not given."""
    return isinstance(node, cst.Name) and node.value in ("None", "False")
