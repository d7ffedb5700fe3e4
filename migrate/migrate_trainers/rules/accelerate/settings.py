"""What `accelerate_config` may say: which keys had no effect, and which variables accelerate reads for the others."""

from __future__ import annotations

from dataclasses import dataclass, field

# What AccelerateTrainer ignored, or set itself.
WITHOUT_EFFECT = frozenset(
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
PLAIN_TYPES = ("NO", "MULTI_CPU", "MULTI_GPU")
# Keys of the nested dictionaries -> the environment variables that accelerate reads in a worker.
FSDP_VARIABLES = {
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
DEEPSPEED_VARIABLES = {
    "zero_stage": "ACCELERATE_DEEPSPEED_ZERO_STAGE",
    "gradient_accumulation_steps": "ACCELERATE_GRADIENT_ACCUMULATION_STEPS",
    "gradient_clipping": "ACCELERATE_GRADIENT_CLIPPING",
    "offload_optimizer_device": "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE",
    "offload_param_device": "ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE",
    "zero3_init_flag": "ACCELERATE_DEEPSPEED_ZERO3_INIT",
    "zero3_save_16bit_model": "ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL",
    "deepspeed_config_file": "ACCELERATE_DEEPSPEED_CONFIG_FILE",
}
DYNAMO_VARIABLES = {
    "dynamo_backend": "ACCELERATE_DYNAMO_BACKEND",
    "dynamo_mode": "ACCELERATE_DYNAMO_MODE",
    "dynamo_use_fullgraph": "ACCELERATE_DYNAMO_USE_FULLGRAPH",
    "dynamo_use_dynamic": "ACCELERATE_DYNAMO_USE_DYNAMIC",
}
KEYWORD_VARIABLES = {
    "cpu": "ACCELERATE_USE_CPU",
    "mixed_precision": "ACCELERATE_MIXED_PRECISION",
    "dynamo_backend": "ACCELERATE_DYNAMO_BACKEND",
}


@dataclass
class AccelerateSettings:
    """What has to be told to accelerate: `Accelerator` keywords and environment variables, as texts of values."""

    keywords: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def all_as_variables(self) -> dict[str, str]:
        """The variables that say everything, for where no `Accelerator` call is in reach."""
        variables = {KEYWORD_VARIABLES[name]: text for name, text in self.keywords.items()}
        if "ACCELERATE_USE_CPU" in variables:
            variables["ACCELERATE_USE_CPU"] = '"true"'
        if "ACCELERATE_DYNAMO_BACKEND" in variables:
            variables["ACCELERATE_DYNAMO_BACKEND"] = variables["ACCELERATE_DYNAMO_BACKEND"].upper()
        return self.variables | variables
