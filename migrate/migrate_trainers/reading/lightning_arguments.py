"""The keywords that `pl.Trainer` and Lightning's strategies take, or took: tables.

Read from pytorch-lightning 1.6 to 2.0 and lightning 2.0 to 2.6.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What `Trainer` of any Lightning 2 takes.
TRAINER_ARGUMENTS = _names(
    """
    accelerator strategy devices num_nodes precision logger callbacks fast_dev_run max_epochs min_epochs max_steps
    min_steps max_time limit_train_batches limit_val_batches limit_test_batches limit_predict_batches overfit_batches
    val_check_interval check_val_every_n_epoch num_sanity_val_steps log_every_n_steps enable_checkpointing
    enable_progress_bar enable_model_summary accumulate_grad_batches gradient_clip_val gradient_clip_algorithm
    deterministic benchmark inference_mode use_distributed_sampler profiler detect_anomaly barebones plugins
    sync_batchnorm reload_dataloaders_every_n_epochs default_root_dir enable_autolog_hparams model_registry
    """
)
# Arguments of Lightning 1 that chose devices, as Ray does now, or that only `trainer.tune()` read.
WITHOUT_EFFECT_UNDER_RAY = (
    "auto_lr_find",
    "auto_scale_batch_size",
    "auto_select_gpus",
    "gpus",
    "ipus",
    "num_processes",
    "tpu_cores",
)
RENAMED_IN_LIGHTNING_2 = {"replace_sampler_ddp": "use_distributed_sampler"}
# Arguments that Lightning 2 doesn't take any more -> what to write in their place.
REMOVED_IN_LIGHTNING_2 = {
    "amp_backend": "nothing, as PyTorch's own mixed precision is the only one left",
    "amp_level": "nothing, as NVIDIA Apex is no longer supported",
    "checkpoint_callback": "`enable_checkpointing`",
    "flush_logs_every_n_steps": "`flush_logs_every_n_steps` of the logger",
    "log_gpu_memory": "the callback `DeviceStatsMonitor()`",
    "move_metrics_to_cpu": "nothing",
    "multiple_trainloader_mode": "`CombinedLoader(loaders, mode)` around the dataloaders",
    "prepare_data_per_node": "the attribute `prepare_data_per_node` of the datamodule",
    "process_position": "the callback `TQDMProgressBar(process_position=...)`",
    "progress_bar_refresh_rate": "`enable_progress_bar`, or the callback `TQDMProgressBar(refresh_rate=...)`",
    "resume_from_checkpoint": "`.fit_params(ckpt_path=...)`",
    "stochastic_weight_avg": "the callback `StochasticWeightAveraging(...)`",
    "terminate_on_nan": "`detect_anomaly`",
    "track_grad_norm": "a log of the gradients' norm in the module's `on_before_optimizer_step`",
    "weights_save_path": "`.checkpointing(dirpath=...)`",
    "weights_summary": "`enable_model_summary`",
}

_EVERY_STRATEGY = _names(
    """
    accelerator parallel_devices cluster_environment checkpoint_io precision_plugin process_group_backend timeout
    """
)
# What each strategy takes; the first two hand the rest on to PyTorch's wrapper, whose keywords are here too.
STRATEGY_ARGUMENTS: dict[str, frozenset[str]] = {
    "ddp": _EVERY_STRATEGY
    | _names(
        """
        ddp_comm_state ddp_comm_hook ddp_comm_wrapper model_averaging_period start_method output_device dim
        broadcast_buffers init_sync process_group bucket_cap_mb find_unused_parameters check_reduction
        gradient_as_bucket_view static_graph delay_all_reduce_named_params param_to_hook_all_reduce mixed_precision
        device_mesh skip_all_reduce_unused_params
        """
    ),
    "fsdp": _EVERY_STRATEGY
    | _names(
        """
        cpu_offload mixed_precision activation_checkpointing activation_checkpointing_policy auto_wrap_policy
        sharding_strategy state_dict_type device_mesh process_group backward_prefetch backward_prefetch_limit
        ignored_modules ignored_states param_init_fn device_id sync_module_states forward_prefetch limit_all_gathers
        use_orig_params
        """
    ),
    "deepspeed": _EVERY_STRATEGY
    | _names(
        """
        zero_optimization stage remote_device offload_optimizer offload_parameters offload_params_device nvme_path
        params_buffer_count params_buffer_size max_in_cpu offload_optimizer_device optimizer_buffer_count block_size
        queue_depth single_submit overlap_events thread_count pin_memory sub_group_size contiguous_gradients
        overlap_comm allgather_partitions reduce_scatter allgather_bucket_size reduce_bucket_size
        zero_allow_untested_optimizer logging_batch_size_per_gpu config logging_level loss_scale initial_scale_power
        loss_scale_window hysteresis min_loss_scale partition_activations cpu_checkpointing
        contiguous_memory_optimization synchronize_checkpoint_boundary load_full_weights exclude_frozen_parameters
        """
    ),
}
