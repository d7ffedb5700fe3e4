"""Stand-ins for accelerate, and for what AccelerateTrainer told it through a worker's environment.

Both follow accelerate 0.20 where legacy Ray runs, and 1.x on current Ray.
"""

from __future__ import annotations

import json
import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from worker_calls.libraries import Anything
from worker_calls.recorder import described

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker_calls.frameworks import Modules
    from worker_calls.recorder import Recorder

_DEFAULTS = {
    "num_processes": 1,
    "distributed_type": "NO",
    "mixed_precision": "no",
    "compute_environment": "LOCAL_MACHINE",
    "use_cpu": True,
}
# What accelerate's ClusterConfig takes; `dynamo_backend` before 0.17, `debug` since 0.21.
_KEYS = frozenset(
    {
        "command_file",
        "commands",
        "compute_environment",
        "debug",
        "deepspeed_config",
        "distributed_type",
        "downcast_bf16",
        "dynamo_backend",
        "dynamo_config",
        "fsdp_config",
        "gpu_ids",
        "ipex_config",
        "machine_rank",
        "main_process_ip",
        "main_process_port",
        "main_training_function",
        "megatron_lm_config",
        "mixed_precision",
        "num_machines",
        "num_processes",
        "rdzv_backend",
        "same_network",
        "tpu_env",
        "tpu_name",
        "tpu_use_cluster",
        "tpu_use_sudo",
        "tpu_vm",
        "tpu_zone",
        "use_cpu",
    }
)
_FSDP = {
    "fsdp_backward_prefetch_policy": "FSDP_BACKWARD_PREFETCH",
    "fsdp_transformer_layer_cls_to_wrap": "FSDP_TRANSFORMER_CLS_TO_WRAP",
}
_DEEPSPEED = {
    "zero_stage": "ACCELERATE_DEEPSPEED_ZERO_STAGE",
    "offload_optimizer_device": "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE",
    "offload_param_device": "ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE",
    "zero3_save_16bit_model": "ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL",
    "zero3_init_flag": "ACCELERATE_DEEPSPEED_ZERO3_INIT",
    "gradient_accumulation_steps": "ACCELERATE_GRADIENT_ACCUMULATION_STEPS",
    "gradient_clipping": "ACCELERATE_GRADIENT_CLIPPING",
    "deepspeed_config_file": "ACCELERATE_DEEPSPEED_CONFIG_FILE",
}
# What the ways to distribute do where no variable says anything, in both versions.
_FSDP_DEFAULTS = {"FSDP_SHARDING_STRATEGY": "1", "FSDP_OFFLOAD_PARAMS": "false"}
_MEGATRON_DEFAULTS = {
    "MEGATRON_LM_TP_DEGREE": "1",
    "MEGATRON_LM_PP_DEGREE": "1",
    "MEGATRON_LM_GRADIENT_CLIPPING": "1.0",
}


def loaded_config(given: Any) -> dict[str, Any]:
    """What AccelerateTrainer takes for its configuration: a dictionary, to which it adds, or what a file holds."""
    if isinstance(given, dict):
        for name, value in _DEFAULTS.items():
            given.setdefault(name, value)
        config = dict(given)
    elif given:
        text = Path(given).read_text()
        config = json.loads(text) if str(given).endswith(".json") else yaml.safe_load(text)
        config.setdefault("mixed_precision", "fp16" if config.pop("fp16", False) else "no")
    else:
        config = {}
    unknown = config.keys() - _KEYS
    if unknown:
        raise TypeError(f"ClusterConfig.__init__() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    return {name: value for name, value in config.items() if value is not None}


def launcher_variables(config: dict[str, Any], *, use_gpu: bool) -> dict[str, str]:
    """The environment in which a worker of AccelerateTrainer calls the train loop."""
    kind = getattr(config.get("distributed_type"), "value", config.get("distributed_type")) or "NO"
    variables = {"ACCELERATE_MIXED_PRECISION": config.get("mixed_precision") or "no"}
    if not use_gpu:
        variables["LOCAL_RANK"] = "-1"
    if kind in ("NO", "MULTI_CPU"):
        variables["ACCELERATE_USE_CPU"] = str(not use_gpu)
    if kind != "DEEPSPEED":
        dynamo = {"dynamo_backend": config.get("dynamo_backend"), **config.get("dynamo_config", {})}
        variables |= {
            "ACCELERATE_DYNAMO_BACKEND": (dynamo["dynamo_backend"] or "no").upper(),
            "ACCELERATE_DYNAMO_MODE": dynamo.get("dynamo_mode", "default"),
            "ACCELERATE_DYNAMO_USE_FULLGRAPH": str(dynamo.get("dynamo_use_fullgraph", False)),
            "ACCELERATE_DYNAMO_USE_DYNAMIC": str(dynamo.get("dynamo_use_dynamic", False)),
        }
    if config.get("debug"):
        variables["ACCELERATE_DEBUG_MODE"] = "true"
    if kind in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        variables[f"ACCELERATE_USE_{kind}"] = "true"
        variables |= _distribution(kind, config)
    return variables


def _distribution(kind: str, config: dict[str, Any]) -> dict[str, str]:
    given = {name: value for name, value in config.get(f"{kind.lower()}_config", {}).items() if value is not None}
    if kind == "FSDP":
        full = {name if "fsdp" in name else f"fsdp_{name}": value for name, value in given.items()}
        return _FSDP_DEFAULTS | {_FSDP.get(name, name.upper()): str(value) for name, value in full.items()}
    if kind == "MEGATRON_LM":
        return _MEGATRON_DEFAULTS | {name.upper(): str(value) for name, value in given.items()}
    return {_DEEPSPEED[name]: str(value) for name, value in given.items() if name in _DEEPSPEED}


def accelerate(recorder: Recorder, *, legacy: bool) -> Modules:
    class Accelerator(Anything):
        """Records its settings as they take effect: arguments go before most of the environment."""

        def __init__(
            self,
            device_placement: bool = True,
            split_batches: bool = False,
            mixed_precision: str | None = None,
            gradient_accumulation_steps: int = 1,
            cpu: bool = False,
            **kwargs: Any,
        ) -> None:
            environment = {name: value.lower() for name, value in os.environ.items()}
            settings = {name: value for name, value in kwargs.items() if name != "dynamo_backend"}
            settings |= {"device_placement": device_placement, "split_batches": split_batches}
            settings["mixed_precision"] = mixed_precision or environment.get("ACCELERATE_MIXED_PRECISION", "no")
            settings["gradient_accumulation_steps"] = int(
                environment.get("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", gradient_accumulation_steps)
            )
            settings["cpu"] = _uses_cpu(cpu) or environment.get("ACCELERATE_USE_CPU") in ("true", "1")
            settings["dynamo"] = _dynamo(kwargs.get("dynamo_backend"), environment, legacy=legacy)
            settings["debug"] = environment.get("ACCELERATE_DEBUG_MODE")
            settings |= _distributed(environment, legacy=legacy)
            recorder.call("Accelerator", described(settings))

        def prepare(self, *made: Any) -> Any:
            return made if len(made) > 1 else made[0]

    class PartialState(Anything):
        """Records the device that it settles."""

        def __init__(self, cpu: bool = False) -> None:
            recorder.call("PartialState", _uses_cpu(cpu))

    names = {"Accelerator": Accelerator, "PartialState": PartialState}
    types = Enum("DistributedType", {name: name for name in ("NO", "MULTI_GPU", "FSDP", "DEEPSPEED")}, type=str)
    return {
        "accelerate": names,
        "accelerate.state": {"PartialState": PartialState},
        "accelerate.utils": {"DistributedType": types},
    }


def _uses_cpu(given: bool) -> bool:
    """A worker of AccelerateTrainer without a GPU has no local rank, by which accelerate knows it."""
    return bool(given) or os.environ.get("LOCAL_RANK") == "-1"


def _dynamo(given: str | None, environment: Mapping[str, str], *, legacy: bool) -> Any:
    backend = (given or environment.get("ACCELERATE_DYNAMO_BACKEND", "no")).lower()
    if backend == "no":
        return None
    return (
        backend,
        environment.get("ACCELERATE_DYNAMO_MODE", "default"),
        environment.get("ACCELERATE_DYNAMO_USE_FULLGRAPH", "false"),
        environment.get("ACCELERATE_DYNAMO_USE_DYNAMIC", "false" if legacy else "as torch finds"),
    )


def _distributed(environment: Mapping[str, str], *, legacy: bool) -> dict[str, Any]:
    """What the ways to distribute are told, where they are used."""
    settings: dict[str, Any] = {}
    for kind, prefix, defaults in (
        ("FSDP", "FSDP_", _FSDP_DEFAULTS),
        ("MEGATRON_LM", "MEGATRON_LM_", _MEGATRON_DEFAULTS),
        ("DEEPSPEED", "ACCELERATE_DEEPSPEED_", {}),
    ):
        if environment.get(f"ACCELERATE_USE_{kind}") == "true":
            own = {name: value for name, value in environment.items() if name.startswith(prefix)}
            settings[kind] = defaults | own
    if "DEEPSPEED" in settings and "ACCELERATE_DEEPSPEED_CONFIG_FILE" not in settings["DEEPSPEED"]:
        clipping = environment.get("ACCELERATE_GRADIENT_CLIPPING", "none" if legacy else "1.0")
        settings["DEEPSPEED"]["clipping"] = 0.0 if clipping == "none" else float(clipping)
    return settings
