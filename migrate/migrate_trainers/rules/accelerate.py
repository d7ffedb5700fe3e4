"""AccelerateTrainer: its train function stays; what `accelerate_config` set is given to `Accelerator`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.configs import uses_gpu
from migrate_trainers.rules.literals import is_flag, is_none, string, written_out
from migrate_trainers.rules.trainer_call import (
    is_absent,
    refuse_datasets,
    refuse_unsupported,
    rename_trainer,
    trainer_arguments,
)
from migrate_trainers.writing.placement import definition, leading_comments_start
from migrate_trainers.writing.render import Argument, sequence

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import CallSite, Rewrite

_OWN_ARGUMENTS = ("train_loop_per_worker", "train_loop_config", "accelerate_config")
_ACCELERATOR = frozenset({"accelerate.Accelerator", "accelerate.accelerator.Accelerator"})
# What AccelerateTrainer ignored, or set itself.
_WITHOUT_EFFECT = frozenset(
    {
        "compute_environment",
        "debug",
        "downcast_bf16",
        "enable_cpu_affinity",
        "machine_rank",
        "main_process_ip",
        "main_process_port",
        "main_training_function",
        "num_machines",
        "num_processes",
        "rdzv_backend",
        "same_network",
        "tpu_env",
        "tpu_use_cluster",
        "tpu_use_sudo",
        "use_cpu",
    }
)
_PLAIN_TYPES = ("NO", "MULTI_CPU", "MULTI_GPU")
# Keys of the nested dictionaries -> the environment variables that accelerate reads in a worker.
_FSDP_VARIABLES = {
    "fsdp_transformer_layer_cls_to_wrap": "FSDP_TRANSFORMER_CLS_TO_WRAP",
    "fsdp_backward_prefetch_policy": "FSDP_BACKWARD_PREFETCH",
    **{
        f"fsdp_{name}": f"FSDP_{name.upper()}"
        for name in (
            "sharding_strategy",
            "offload_params",
            "min_num_params",
            "auto_wrap_policy",
            "backward_prefetch",
            "state_dict_type",
            "forward_prefetch",
            "use_orig_params",
            "sync_module_states",
            "cpu_ram_efficient_loading",
        )
    },
}
_DEEPSPEED_VARIABLES = {
    "zero_stage": "ACCELERATE_DEEPSPEED_ZERO_STAGE",
    "gradient_accumulation_steps": "ACCELERATE_GRADIENT_ACCUMULATION_STEPS",
    "gradient_clipping": "ACCELERATE_GRADIENT_CLIPPING",
    "offload_optimizer_device": "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE",
    "offload_param_device": "ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE",
    "zero3_init_flag": "ACCELERATE_DEEPSPEED_ZERO3_INIT",
    "zero3_save_16bit_model": "ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL",
    "deepspeed_config_file": "ACCELERATE_DEEPSPEED_CONFIG_FILE",
}
_DYNAMO_VARIABLES = {
    "dynamo_backend": "ACCELERATE_DYNAMO_BACKEND",
    "dynamo_mode": "ACCELERATE_DYNAMO_MODE",
    "dynamo_use_fullgraph": "ACCELERATE_DYNAMO_USE_FULLGRAPH",
    "dynamo_use_dynamic": "ACCELERATE_DYNAMO_USE_DYNAMIC",
}
_LOCAL_MAIN_PROCESS = frozenset({"is_local_main_process", "on_local_main_process"})


@dataclass
class _Settings:
    """What has to be told to accelerate: `Accelerator` keywords and environment variables, as texts of values."""

    keywords: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


def migrate_accelerate(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's AccelerateTrainers; raises `Refusal` for the first that can't be."""
    functions: set[cst.CSTNode] = set()
    for site in sites:
        _migrate(rewrite, site, functions)


def _migrate(rewrite: Rewrite, site: CallSite, functions: set[cst.CSTNode]) -> None:
    arguments = trainer_arguments(site, _OWN_ARGUMENTS)
    refuse_unsupported(rewrite, site, arguments)
    if not is_absent(arguments, "resume_from_checkpoint") and rewrite.settings.strict_target:
        raise Refusal("MT403", arguments["resume_from_checkpoint"], "`resume_from_checkpoint=...`")
    refuse_datasets(rewrite, site, arguments, "MT202", "datasets", "dataset_config")
    if "train_loop_per_worker" not in arguments:
        raise Refusal("MT106", site.call, "it has no `train_loop_per_worker`")
    settings = _read_settings(rewrite, site, arguments)
    _carry_over(rewrite, site, arguments, settings, functions)
    rename_trainer(rewrite, site)


# Reading accelerate_config


def _read_settings(rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg]) -> _Settings:
    settings = _Settings()
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


def _read_dictionary(rewrite: Rewrite, argument: cst.Arg, settings: _Settings) -> None:
    entries = written_out(rewrite, argument.value)
    if entries is None:
        raise Refusal("MT301", argument, "it is not a dictionary that is written out for this trainer alone")
    kind = entries.pop("distributed_type", None)
    kind_name = "NO" if kind is None else string(kind)
    if kind_name is None:
        raise Refusal("MT301", argument, "`distributed_type` is not a literal")
    if kind_name not in (*_PLAIN_TYPES, "FSDP", "DEEPSPEED"):
        raise Refusal("MT302", argument, f"`distributed_type` {kind_name}")
    for key, entry in entries.items():
        _read_entry(rewrite, key, entry, kind_name, settings)
    if kind_name in ("FSDP", "DEEPSPEED"):
        settings.variables[f"ACCELERATE_USE_{kind_name}"] = '"true"'


def _read_entry(rewrite: Rewrite, key: str, entry: cst.BaseExpression, kind: str, settings: _Settings) -> None:
    """Add what one key of the configuration sets; raises `Refusal` if that can't be carried over."""
    if is_none(entry) or (key in _WITHOUT_EFFECT and string(entry) != "AMAZON_SAGEMAKER"):
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
        settings.variables |= _variables(rewrite, entry, _DYNAMO_VARIABLES)
        if settings.variables.get("ACCELERATE_DYNAMO_BACKEND") in (None, '"NO"', '"no"'):
            for name in _DYNAMO_VARIABLES.values():
                settings.variables.pop(name, None)
    elif key == "fsdp_config" and kind == "FSDP":
        settings.variables |= _variables(rewrite, entry, _FSDP_VARIABLES)
    elif key == "deepspeed_config" and kind == "DEEPSPEED":
        settings.variables |= _variables(rewrite, entry, _DEEPSPEED_VARIABLES)
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


# Writing


def _carry_over(
    rewrite: Rewrite,
    site: CallSite,
    arguments: dict[str, cst.Arg],
    settings: _Settings,
    functions: set[cst.CSTNode],
) -> None:
    """Give the settings to the function's Accelerator, else set them at its top, else around a call of it."""
    program = rewrite.program
    argument = arguments["train_loop_per_worker"]
    function = _own_function(program, argument.value)
    if function is None:
        if settings.keywords or settings.variables or _default_config_parameter(program, argument.value) is not None:
            _wrap(rewrite, site, arguments, settings)
        return
    if function in functions:
        raise Refusal("MT303", argument, "several trainers share the function")
    functions.add(function)
    _require_parameter(rewrite, function)
    accelerators = [
        call
        for call in program.calls
        if program.qualified_name(call.func) in _ACCELERATOR and program.contains(function, call)
    ]
    in_reach = accelerators and not any(call_argument.star for call in accelerators for call_argument in call.args)
    variables = dict(settings.variables)
    if in_reach:
        for call in accelerators:
            own = {call_argument.keyword.value for call_argument in call.args if call_argument.keyword is not None}
            for name, text in settings.keywords.items():
                if name not in own:
                    rewrite.arguments_of(call).append(_keyword(name, text))
    else:
        variables |= _as_variables(settings.keywords)
    if variables:
        _set_at_top(rewrite, function, variables)


def _keyword(name: str, text: str) -> Callable[[str], str]:
    return lambda indent: f"{name}={text}"


def _own_function(program: Program, value: cst.BaseExpression) -> cst.FunctionDef | None:
    """The function of this file behind `train_loop_per_worker`, if only the trainer uses it."""
    if not isinstance(value, cst.Name):
        return None
    bindings = program.bindings(value)
    if len(bindings) != 1 or not isinstance(bindings[0].node, cst.FunctionDef):
        return None
    node = bindings[0].node
    if len(program.uses(bindings[0])) != 1 or node.decorators or not isinstance(node.body, cst.IndentedBlock):
        return None
    return node


def _default_config_parameter(program: Program, value: cst.BaseExpression) -> cst.Param | None:
    """The only parameter of a function of this file, if it has a default: Ray calls such a function without it now."""
    if not isinstance(value, cst.Name):
        return None
    for binding in program.bindings(value):
        if isinstance(binding.node, cst.FunctionDef):
            parameters = binding.node.params.params
            if len(parameters) == 1 and parameters[0].default is not None:
                return parameters[0]
    return None


def _require_parameter(rewrite: Rewrite, function: cst.FunctionDef) -> None:
    """Drop the default of the configuration's parameter, else current Ray doesn't pass the configuration."""
    parameters = function.params.params
    if len(parameters) == 1 and parameters[0].default is not None:
        parameter = parameters[0]
        before = parameter.annotation.annotation if parameter.annotation is not None else parameter.name
        assert parameter.default is not None
        start = rewrite.program.outer_span(before)[1]
        rewrite.edits.append(Edit(start, rewrite.program.outer_span(parameter.default)[1], ""))


def _as_variables(keywords: dict[str, str]) -> dict[str, str]:
    names = {
        "cpu": "ACCELERATE_USE_CPU",
        "mixed_precision": "ACCELERATE_MIXED_PRECISION",
        "dynamo_backend": "ACCELERATE_DYNAMO_BACKEND",
    }
    variables = {names[name]: text for name, text in keywords.items()}
    if "ACCELERATE_USE_CPU" in variables:
        variables["ACCELERATE_USE_CPU"] = '"true"'
    if "ACCELERATE_DYNAMO_BACKEND" in variables:
        variables["ACCELERATE_DYNAMO_BACKEND"] = variables["ACCELERATE_DYNAMO_BACKEND"].upper()
    return variables


def _update_line(rewrite: Rewrite, variables: dict[str, str], indent: str) -> str:
    """`os.environ.update({...})`."""
    unit = rewrite.program.module.default_indent
    update = f"{rewrite.imports.module('os')}.environ.update("
    items = [Argument(f'"{name}": {text}') for name, text in sorted(variables.items())]
    line = sequence("{", items, "}", indent, unit, before=f"{update})")
    return f"{indent}{update}{line})"


def _set_at_top(rewrite: Rewrite, function: cst.FunctionDef, variables: dict[str, str]) -> None:
    statements: list[Statement] = list(function.body.body)  # type: ignore[arg-type]
    first = statements[0]
    is_docstring = (
        isinstance(first, cst.SimpleStatementLine)
        and isinstance(first.body[0], cst.Expr)
        and isinstance(first.body[0].value, cst.SimpleString | cst.ConcatenatedString)
    )
    place = statements[1] if is_docstring and len(statements) > 1 else first
    line = _update_line(rewrite, variables, rewrite.program.indent(place))
    start = leading_comments_start(rewrite.program, place)
    rewrite.edits.append(Edit(start, start, f"{line}\n"))


def _wrap(rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg], settings: _Settings) -> None:
    """A train function that sets the variables and calls the user's."""
    program = rewrite.program
    argument = arguments["train_loop_per_worker"]
    place = site.statement
    if not ValueAnalysis(program, place).is_movable(argument.value):
        raise Refusal("MT303", argument, "it is only known when the script runs")
    takes_config = _takes_config(program, argument.value)
    if takes_config is None:
        if "train_loop_config" not in arguments:
            raise Refusal("MT303", argument, "whether it takes a configuration can't be seen")
        takes_config = True
    indent = program.indent(place)
    unit = program.module.default_indent
    name = rewrite.new_name("train_func")
    config = "config" if program.outer_text(argument.value) != "config" else "train_loop_config"
    parameter = config if takes_config else ""
    variables = settings.variables | _as_variables(settings.keywords)
    lines = [_update_line(rewrite, variables, indent + unit)] if variables else []
    lines.append(f"{indent}{unit}return {program.outer_text(argument.value)}({parameter})")
    text = "\n".join([f"def {name}({parameter}):", *lines])
    rewrite.edits += definition(program, place, [text])
    keyword = "" if argument.keyword is None else "train_loop_per_worker="
    rewrite.arguments_of(site.call).replace(argument, f"{keyword}{name}")


def _takes_config(program: Program, value: cst.BaseExpression) -> bool | None:
    """Whether a function takes the configuration, None where its definition isn't in this file."""
    if not isinstance(value, cst.Name):
        return None
    bindings = program.bindings(value)
    if len(bindings) == 1 and isinstance(bindings[0].node, cst.FunctionDef):
        return bool(bindings[0].node.params.params)
    return None
