"""RunConfig and its kin: old argument forms to those that the target takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import entries_of, is_flag, is_none
from migrate_trainers.rules.storage import migrate_storage
from migrate_trainers.rules.unused_imports import remove_imports_of
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.settings import Version

# Fields of RunConfig that have other names now.
_MOVED_FIELDS = ("local_dir", "sync_config")


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
    variable = program.sole_assignment(value)
    if variable is None or variable.value is None or config_class(program, variable.value) != name:
        return None
    assert isinstance(variable.value, cst.Call)
    return ConfigCall(variable.value, variable)


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
            if rewrite.settings.strict_target:
                _check_assignments(rewrite, call, name)


def _migrate_config(rewrite: Rewrite, call: cst.Call, name: str) -> None:
    arguments = config_arguments(rewrite, call)
    if arguments is None:
        if any(not argument.star and argument.keyword is None for argument in call.args):
            raise Refusal("MT104", call, f"the positional arguments of `{name}` have another order in the target")
        _check_hidden(rewrite, call, name)
        return
    first = arguments.get("trainer_resources")
    if name == "ScalingConfig" and first is not None and first.keyword is None and not is_off(first.value):
        raise Refusal("MT106", first, "the first positional argument of `ScalingConfig` is `trainer_resources`")
    edits = rewrite.arguments_of(call)
    done = migrate_storage(rewrite, call, arguments) if name == "RunConfig" else frozenset()
    is_current = is_current_class(rewrite.program, call)
    for field, argument in arguments.items():
        if field in done or (is_current and not _is_old_argument(rewrite.program, name, argument)):
            continue
        if rewrite.settings.strict_target and _is_gone(name, field):
            if not is_off(argument.value):
                _check_goes(rewrite, name, field, argument)
                rewrite.review("MT402", argument, f"`{name}({field}=...)`")
                remove_imports_of(rewrite, argument)
            edits.remove(argument)
        elif argument.keyword is None:
            edits.rename(argument, field)


def is_current_class(program: Program, call: cst.Call) -> bool:
    """Whether a configuration may be written for current Ray: its class is, and the file has no legacy trainer."""
    qualified = program.qualified_name(call.func) or ""
    is_old = any(program.qualified_name(one.func) in legacy.TRAINERS for one in program.calls)
    return qualified.startswith("ray.train.") and not is_old


def holds_old_arguments(program: Program, call: cst.Call) -> bool:
    """Whether a configuration of `ray.train` is given what current Ray refuses."""
    name = config_class(program, call)
    if name not in legacy.DROPPED_ARGUMENTS or not is_current_class(program, call):
        return False
    return any(_is_old_argument(program, name, argument) for argument in call.args)


def _is_old_argument(program: Program, name: str, argument: cst.Arg) -> bool:
    field = argument.keyword.value if argument.keyword is not None else ""
    if field == "callbacks":
        # Current Ray takes callbacks of its own.
        return any(
            program.contains(argument, node)
            and program.qualified_name(node) in legacy.LOGGERS.keys() | legacy.DEFAULT_LOGGERS
            for node in (*program.names, *program.attributes)
        )
    return field == "local_dir" or _is_gone(name, field)


def _is_gone(name: str, field: str) -> bool:
    """Whether current Ray refuses an argument of a configuration."""
    return field in legacy.REFUSED_ARGUMENTS[name] or field in legacy.DROPPED_ARGUMENTS[name]


def _check_goes(rewrite: Rewrite, name: str, field: str, argument: cst.Arg) -> None:
    """Raise `Refusal` for an argument that changes what the run does."""
    if field == "callbacks" and _are_default_loggers(rewrite.program, argument.value):
        return
    # It concerned the trials of a Tuner, and never a run of its own.
    if field == "fail_fast" and not any(
        rewrite.program.qualified_name(one.func) in legacy.TUNERS for one in rewrite.program.calls
    ):
        return
    if field == "fail_fast" or field in legacy.REFUSED_ARGUMENTS[name]:
        raise Refusal("MT403", argument, f"`{name}({field}=...)`{_instead(rewrite.program, field, argument.value)}")


def _are_default_loggers(program: Program, value: cst.BaseExpression) -> bool:
    """Whether callbacks only write the files that every run wrote, and that no run of current Ray has."""
    return isinstance(value, cst.List) and all(
        isinstance(element.value, cst.Call)
        and not element.value.args
        and program.qualified_name(element.value.func) in legacy.DEFAULT_LOGGERS
        for element in value.elements
    )


def _instead(program: Program, field: str, value: cst.BaseExpression) -> str:
    """What does in the workers of the file's trainers what an argument of a RunConfig did."""
    trainers = {legacy.TRAINERS.get(program.qualified_name(call.func) or "") for call in program.calls}
    kinds = [kind for kind in legacy.STOP_INSTEAD if kind in trainers]
    if field == "stop":
        advice = [legacy.STOP_INSTEAD[kind] for kind in kinds]
    else:
        calls = (one for one in program.calls if program.contains(value, one))
        loggers = dict.fromkeys(legacy.LOGGERS.get(program.qualified_name(call.func) or "") for call in calls)
        known = [name for name in loggers if name is not None]
        advice = [legacy.LOGGERS_INSTEAD[kind][name] for kind in kinds or [legacy.ACCELERATE_TRAINER] for name in known]
    return f": {'; '.join(advice)}" if advice else ""


def _check_hidden(rewrite: Rewrite, call: cst.Call, name: str) -> None:
    """Look at what a configuration gets through `**`; say so where that can't be seen."""
    if not rewrite.settings.strict_target:
        return
    for argument in call.args:
        if argument.star != "**":
            if argument.keyword is not None and _is_gone(name, argument.keyword.value):
                raise Refusal("MT104", call, f"`{name}({argument.keyword.value}=...)` has to go")
            continue
        dictionary = dictionary_behind(rewrite.program, argument.value)
        entries = entries_of(rewrite.program, dictionary) if dictionary is not None else None
        gone = sorted(key for key in entries or {} if _is_gone(name, key) or key in _MOVED_FIELDS)
        if gone:
            raise Refusal("MT104", argument, f"current Ray takes no `{name}({gone[0]}=...)`")
        if entries is None or isinstance(argument.value, cst.Name):
            rewrite.review("MT408", argument, f"`{name}(**...)`")


def _check_assignments(rewrite: Rewrite, call: cst.Call, name: str) -> None:
    """Raise `Refusal` for what a script assigns to a configuration afterwards, which current Ray doesn't look at."""
    program = rewrite.program
    assigned = program.parent(call)
    if not isinstance(assigned, cst.Assign) or not isinstance(assigned.targets[0].target, cst.Name):
        return
    variable = assigned.targets[0].target.value
    for field in (*sorted(legacy.REFUSED_ARGUMENTS[name]), *(_MOVED_FIELDS if name == "RunConfig" else ())):
        if f"{variable}.{field}" in program.assigned_attributes:
            node = next(one for one in program.attributes if program.text(one) == f"{variable}.{field}")
            raise Refusal("MT403", node, f"`{variable}.{field} = ...`")


def is_off(node: cst.BaseExpression) -> bool:
    """Whether a value is what the legacy classes took for not given."""
    if isinstance(node, cst.List | cst.Dict | cst.Tuple):
        return not node.elements
    return isinstance(node, cst.Name) and node.value in ("None", "False")
