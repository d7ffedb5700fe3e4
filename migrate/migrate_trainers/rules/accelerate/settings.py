"""What `accelerate_config` may say: which keys did nothing, and which variables accelerate reads for the others.

The names are those that accelerate 0.17 to 0.20 (with which AccelerateTrainer worked) and 1.x both read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# What AccelerateTrainer ignored, or set itself.
WITHOUT_EFFECT = frozenset(
    {
        "command_file",
        "commands",
        "compute_environment",
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
        "tpu_name",
        "tpu_use_cluster",
        "tpu_use_sudo",
        "tpu_vm",
        "tpu_zone",
        "use_cpu",
    }
)
# Keys of later versions of accelerate, for which a train function has no setting.
WITHOUT_EQUIVALENT = frozenset({"fp8_config", "mpirun_config", "parallelism_config"})
# Of the distributed types those that are found in a worker's environment anyway.
PLAIN_TYPES = frozenset({"NO", "MULTI_CPU", "MULTI_GPU"})
# The others, with the key of their settings.
SETTINGS_OF = {"FSDP": "fsdp_config", "DEEPSPEED": "deepspeed_config", "MEGATRON_LM": "megatron_lm_config"}


@dataclass(frozen=True)
class Section:
    """A nested dictionary of the configuration: the variable that each of its keys sets.

    `later` are keys that AccelerateTrainer didn't hand on with the accelerate of its time, and that accelerate reads
    now; `ignored` those that it never handed on.
    """

    variables: dict[str, str]
    later: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()


def _named(prefix: str, *names: str) -> dict[str, str]:
    return {name: f"{prefix}{name.upper()}" for name in names}


_LATER_FSDP = _named(
    "",
    "fsdp_activation_checkpointing",
    "fsdp_backward_prefetch",
    "fsdp_cpu_ram_efficient_loading",
    "fsdp_forward_prefetch",
    "fsdp_ignored_modules",
    "fsdp_reshard_after_forward",
    "fsdp_sync_module_states",
    "fsdp_use_orig_params",
    "fsdp_version",
)
_LATER_MEGATRON = _named(
    "",
    "megatron_lm_attention_dropout",
    "megatron_lm_hidden_dropout",
    "megatron_lm_recompute_activations",
    "megatron_lm_recompute_granularity",
    "megatron_lm_recompute_method",
    "megatron_lm_recompute_num_layers",
)
SECTIONS = {
    "fsdp_config": Section(
        {
            **_named(
                "",
                "fsdp_auto_wrap_policy",
                "fsdp_min_num_params",
                "fsdp_offload_params",
                "fsdp_sharding_strategy",
                "fsdp_state_dict_type",
            ),
            "fsdp_backward_prefetch_policy": "FSDP_BACKWARD_PREFETCH",
            "fsdp_transformer_layer_cls_to_wrap": "FSDP_TRANSFORMER_CLS_TO_WRAP",
            **_LATER_FSDP,
        },
        later=frozenset(_LATER_FSDP),
    ),
    "deepspeed_config": Section(
        {
            **_named(
                "ACCELERATE_DEEPSPEED_",
                "zero_stage",
                "offload_optimizer_device",
                "offload_param_device",
                "zero3_save_16bit_model",
            ),
            **_named("ACCELERATE_", "gradient_accumulation_steps", "gradient_clipping"),
            "zero3_init_flag": "ACCELERATE_DEEPSPEED_ZERO3_INIT",
            "deepspeed_config_file": "ACCELERATE_DEEPSPEED_CONFIG_FILE",
            "deepspeed_moe_layer_cls_names": "ACCELERATE_DEEPSPEED_MOE_LAYER_CLS_NAMES",
        },
        later=frozenset({"deepspeed_moe_layer_cls_names"}),
        ignored=frozenset(
            {
                "deepspeed_exclusion_filter",
                "deepspeed_hostfile",
                "deepspeed_inclusion_filter",
                "deepspeed_multinode_launcher",
                "offload_optimizer_nvme_path",
                "offload_param_nvme_path",
            }
        ),
    ),
    "megatron_lm_config": Section(
        {
            **_named(
                "",
                "megatron_lm_gradient_clipping",
                "megatron_lm_num_micro_batches",
                "megatron_lm_pp_degree",
                "megatron_lm_sequence_parallelism",
                "megatron_lm_tp_degree",
                "megatron_lm_use_distributed_optimizer",
            ),
            **_LATER_MEGATRON,
        },
        later=frozenset(_LATER_MEGATRON),
    ),
}
# What DeepSpeed has to be told where the configuration says nothing: accelerate clips gradients by itself now.
DEEPSPEED_DEFAULTS = {"ACCELERATE_GRADIENT_CLIPPING": '"0.0"'}
DYNAMO_VARIABLES = {
    "dynamo_mode": "ACCELERATE_DYNAMO_MODE",
    "dynamo_use_fullgraph": "ACCELERATE_DYNAMO_USE_FULLGRAPH",
    "dynamo_use_dynamic": "ACCELERATE_DYNAMO_USE_DYNAMIC",
}
# What dynamo was told where the configuration says nothing: accelerate leaves dynamic shapes to torch now.
DYNAMO_DEFAULTS = {"ACCELERATE_DYNAMO_USE_DYNAMIC": '"false"'}
KEYWORD_VARIABLES = {
    "cpu": "ACCELERATE_USE_CPU",
    "mixed_precision": "ACCELERATE_MIXED_PRECISION",
    "dynamo_backend": "ACCELERATE_DYNAMO_BACKEND",
}


@dataclass(frozen=True)
class AccelerateSettings:
    """What has to be told to accelerate: `Accelerator` keywords and environment variables, as texts of values.

    `cpu` says whether the workers compute on the CPU, None where only they know. `values` are texts of what only a run
    of the script tells, by the names that the other texts have for them.
    """

    keywords: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    cpu: bool | None = False
    values: dict[str, str] = field(default_factory=dict)
