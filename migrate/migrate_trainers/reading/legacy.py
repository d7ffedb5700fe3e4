"""The names of the old API in every Ray version, and what replaces them: tables, no code that decides.

Read from Ray's releases 2.3 to 2.60.
"""

from __future__ import annotations

LIGHTNING_TRAINER = "LightningTrainer"
TRANSFORMERS_TRAINER = "TransformersTrainer"
ACCELERATE_TRAINER = "AccelerateTrainer"

_LIGHTNING_MODULES = ("ray.train.lightning", "ray.train.lightning.lightning_trainer")
_TRANSFORMERS_MODULES = (
    "ray.train.huggingface",
    "ray.train.huggingface.transformers",
    "ray.train.huggingface.transformers.transformers_trainer",
)
_ACCELERATE_MODULES = (
    "ray.train.huggingface",
    "ray.train.huggingface.accelerate",
    "ray.train.huggingface.accelerate.accelerate_trainer",
)

# Qualified name -> which trainer (or builder) it is.
TRAINERS: dict[str, str] = {
    **{f"{module}.LightningTrainer": LIGHTNING_TRAINER for module in _LIGHTNING_MODULES},
    **{f"{module}.TransformersTrainer": TRANSFORMERS_TRAINER for module in _TRANSFORMERS_MODULES},
    "ray.train.huggingface.HuggingFaceTrainer": TRANSFORMERS_TRAINER,
    "ray.train.huggingface.huggingface_trainer.HuggingFaceTrainer": TRANSFORMERS_TRAINER,
    **{f"{module}.AccelerateTrainer": ACCELERATE_TRAINER for module in _ACCELERATE_MODULES},
}
BUILDERS: frozenset[str] = frozenset(f"{module}.LightningConfigBuilder" for module in _LIGHTNING_MODULES)

# The metric in which LightningTrainer named the hook that reported.
HOOK_METRIC = "_report_on"
RESTORING_METHODS = ("restore", "can_restore")

# What reads the checkpoints that LightningTrainer left.
LIGHTNING_CHECKPOINTS: frozenset[str] = frozenset(
    f"{module}.{name}"
    for module in ("ray.train.lightning", "ray.train.lightning.lightning_checkpoint")
    for name in ("LightningCheckpoint", "LegacyLightningCheckpoint")
)
LIGHTNING_PREDICTORS: frozenset[str] = frozenset(
    f"{module}.LightningPredictor" for module in ("ray.train.lightning", "ray.train.lightning.lightning_predictor")
)
# What reads the checkpoints that TransformersTrainer left.
_TRANSFORMERS_PACKAGES = ("ray.train.huggingface", "ray.train.huggingface.transformers")
TRANSFORMERS_CHECKPOINTS: frozenset[str] = frozenset(
    f"{module}.{name}"
    for module in (
        *_TRANSFORMERS_PACKAGES,
        "ray.train.huggingface.transformers.transformers_checkpoint",
        "ray.train.huggingface.huggingface_checkpoint",
    )
    for name in ("TransformersCheckpoint", "HuggingFaceCheckpoint", "LegacyTransformersCheckpoint")
)
TRANSFORMERS_PREDICTORS: frozenset[str] = frozenset(
    f"{module}.{name}"
    for module in (
        *_TRANSFORMERS_PACKAGES,
        "ray.train.huggingface.transformers.transformers_predictor",
        "ray.train.huggingface.huggingface_predictor",
    )
    for name in ("TransformersPredictor", "HuggingFacePredictor")
)
# What a train function of the user's own reported as a checkpoint, and what reads it.
TORCH_CHECKPOINTS: frozenset[str] = frozenset(
    f"{module}.{name}"
    for module in ("ray.train.torch", "ray.train.torch.torch_checkpoint")
    for name in ("TorchCheckpoint", "LegacyTorchCheckpoint")
)
TORCH_PREDICTORS: frozenset[str] = frozenset(
    f"{module}.TorchPredictor" for module in ("ray.train.torch", "ray.train.torch.torch_predictor")
)
BATCH_PREDICTOR = "ray.train.batch_predictor.BatchPredictor"
CHECKPOINT_CLASSES: frozenset[str] = LIGHTNING_CHECKPOINTS | TRANSFORMERS_CHECKPOINTS | TORCH_CHECKPOINTS
# The classes of which a file has use without making a trainer.
READERS: frozenset[str] = (
    CHECKPOINT_CLASSES | LIGHTNING_PREDICTORS | TRANSFORMERS_PREDICTORS | TORCH_PREDICTORS | {BATCH_PREDICTOR}
)
# Those of them that people used without any legacy trainer too.
GENERAL_READERS: frozenset[str] = TORCH_CHECKPOINTS | TORCH_PREDICTORS | {BATCH_PREDICTOR}

# Qualified names without a counterpart in current Ray: code around them can't be kept running by renaming.
UNSUPPORTED: dict[str, str] = {
    f"{module}.{name}": name
    for modules, names in (
        (
            ("ray.train.lightning._lightning_utils",),
            ("RayModelCheckpoint", "RayDataModule", "RayIterableDataset", "RayEnvironment"),
        ),
        (("ray.air", "ray.air.config"), ("DatasetConfig",)),
    )
    for module in modules
    for name in names
}
# What runs trials, what continues a run of trials, and what only wraps the function that a trial runs.
TUNERS = frozenset({"ray.tune.Tuner", "ray.tune.tuner.Tuner"})
TUNER_RESTORES = frozenset(f"{tuner}.restore" for tuner in TUNERS)
TUNE_RUNS = frozenset({"ray.tune.run", "ray.tune.run_experiments", "ray.tune.tune.run", "ray.tune.register_trainable"})
TUNE_WRAPPERS = frozenset({"ray.tune.with_resources", "ray.tune.with_parameters"})
TUNER_ARGUMENTS = ("trainable", "param_space", "tune_config", "run_config")
# The older function that runs trials; its arguments that a function can be run with as well as a trainer could.
TUNE_RUN = frozenset({"ray.tune.run", "ray.tune.tune.run"})
TUNE_RUN_ARGUMENTS = frozenset(
    {
        *("run_or_experiment", "name", "metric", "mode", "stop", "time_budget_s", "config", "num_samples"),
        *("storage_path", "storage_filesystem", "local_dir", "search_alg", "scheduler", "checkpoint_config"),
        *("verbose", "progress_reporter", "log_to_file", "trial_name_creator", "trial_dirname_creator"),
        *("max_failures", "fail_fast", "resume", "reuse_actors", "raise_on_failed_trial", "callbacks"),
        "max_concurrent_trials",
    }
)
# Those of them that start trials again.
CONTINUING_ARGUMENTS = frozenset({"max_failures", "resume"})
# Search space entries that only remember their arguments; the first ones never give a dictionary.
TUNE_NUMBERS = frozenset(
    {
        f"ray.tune.{name}"
        for name in (
            *("uniform", "quniform", "loguniform", "qloguniform", "randn", "qrandn"),
            *("randint", "qrandint", "lograndint", "qlograndint"),
        )
    }
)
TUNE_CHOICES = frozenset({"ray.tune.choice", "ray.tune.grid_search"})
TUNE_DOMAINS = TUNE_NUMBERS | TUNE_CHOICES | {"ray.tune.sample_from"}
# Schedulers that change a running trial, from another trial's checkpoint.
POPULATION_SCHEDULERS = frozenset(
    {
        f"ray.tune.schedulers.{path}"
        for path in (
            *("PopulationBasedTraining", "pbt.PopulationBasedTraining"),
            *("pb2.PB2", "PB2"),
        )
    }
)
# Schedulers that stop a trial for a while, and start it again from its own checkpoint.
PAUSING_SCHEDULERS = frozenset(
    {
        f"ray.tune.schedulers.{path}"
        for path in (
            *("HyperBandScheduler", "hyperband.HyperBandScheduler"),
            *("HyperBandForBOHB", "hb_bohb.HyperBandForBOHB"),
        )
    }
)
# Schedulers that stop trials for good, unless an argument says otherwise.
STOPPING_SCHEDULERS = frozenset(
    f"ray.tune.schedulers.{path}" for path in ("MedianStoppingRule", "median_stopping_rule.MedianStoppingRule")
)
HARD_STOP, HARD_STOP_POSITION = "hard_stop", 6
# Schedulers that follow a file of the legacy trainer's configurations, or change what a trial reserves.
UNKNOWN_SCHEDULERS = frozenset(
    {
        f"ray.tune.schedulers.{path}"
        for path in (
            *("PopulationBasedTrainingReplay", "pbt.PopulationBasedTrainingReplay"),
            *("ResourceChangingScheduler", "resource_changing_scheduler.ResourceChangingScheduler"),
        )
    }
)
SCHEDULER_MAKERS = frozenset({"ray.tune.create_scheduler", "ray.tune.schedulers.create_scheduler"})
# The names of schedulers that never start a trial again.
PLAIN_SCHEDULER_NAMES = frozenset(
    {"fifo", "async_hyperband", "asynchyperband", "asha", "medianstopping", "median_stopping_rule"}
)

# The arguments of population based schedulers before their mutations, which nobody gives by position.
POPULATION_POSITIONS = 4
MUTATION_ARGUMENTS = frozenset({"hyperparam_mutations", "hyperparam_bounds"})
# Search algorithms: where they are, who makes them by name, which take a search space as their first argument.
SEARCH_MODULES = ("ray.tune.search.", "ray.tune.suggest.")
SEARCHER_MAKERS = frozenset({"ray.tune.create_searcher"})
SEARCHERS_OF_SPACES = frozenset(
    {"AxSearch", "BayesOptSearch", "HEBOSearch", "HyperOptSearch", "OptunaSearch", "TuneBOHB"}
)
SEARCH_SPACE_ARGUMENTS = frozenset({"space", "dim_dict"})
STARTING_POINTS = "points_to_evaluate"
# Configurations of a trainer that only remember their arguments.
TORCH_CONFIGS = frozenset({"ray.train.torch.TorchConfig", "ray.train.torch.config.TorchConfig", "ray.train.DataConfig"})

# Star imports of these bring legacy names in unseen.
LEGACY_MODULES: frozenset[str] = frozenset((*_LIGHTNING_MODULES, *_TRANSFORMERS_MODULES, *_ACCELERATE_MODULES))

# Configuration and result classes -> their home since Ray 2.7.
_CONFIG_HOMES: dict[str, tuple[str, ...]] = {
    "RunConfig": ("ray.air", "ray.air.config", "ray.tune"),
    "ScalingConfig": ("ray.air", "ray.air.config", "ray.tune"),
    "CheckpointConfig": ("ray.air", "ray.air.config", "ray.tune"),
    "FailureConfig": ("ray.air", "ray.air.config", "ray.tune"),
    "Result": ("ray.air", "ray.air.result", "ray.tune"),
    "Checkpoint": ("ray.air", "ray.air.checkpoint"),
    # In Ray 2.7 the one of `ray.tune` takes no arguments.
    "SyncConfig": ("ray.tune", "ray.tune.syncer"),
}
MOVED: dict[str, str] = {
    f"{home}.{name}": f"ray.train.{name}" for name, homes in _CONFIG_HOMES.items() for home in homes
} | {
    "ray.train.base_trainer.TrainingFailedError": "ray.train.TrainingFailedError",
    **{
        f"ray.air.callbacks.{module}.{name}": f"ray.air.integrations.{module}.{name}"
        for module, name in (
            *(("wandb", "WandbLoggerCallback"), ("wandb", "setup_wandb")),
            *(("mlflow", "MLflowLoggerCallback"), ("mlflow", "setup_mlflow"), ("comet", "CometLoggerCallback")),
        )
    },
}
# Names of ray.train that are the target of a move, however they were reached.
CONFIG_CLASSES: dict[str, str] = {
    f"{home}.{name}": name for name, homes in _CONFIG_HOMES.items() for home in (*homes, "ray.train")
}

# Ray's own checkpoint class, which any code may make: as it was, and as a directory.
CHECKPOINTS = frozenset({"ray.air.Checkpoint", "ray.air.checkpoint.Checkpoint", "ray.train.Checkpoint"})
TORCH_TRAINERS = frozenset({"ray.train.torch.TorchTrainer", "ray.train.torch.torch_trainer.TorchTrainer"})

SESSION_MODULE = "ray.air.session"
# Modules that a file has no more use for once the names above are rewritten.
EMPTIED_MODULES = frozenset({"ray.air", "ray.air.config", "ray.air.result", "ray.air.checkpoint", SESSION_MODULE})
# Dotted names below `ray.train` that are modules.
TARGET_MODULES = frozenset(
    {
        "ray.train",
        "ray.train.torch",
        "ray.train.lightning",
        "ray.train.huggingface",
        "ray.train.huggingface.transformers",
    }
)
SESSION_FUNCTIONS = frozenset({"report", "get_checkpoint", "get_dataset_shard"})
REPORTS = frozenset({f"{SESSION_MODULE}.report", "ray.train.report"})
CHECKPOINT_GETTERS = frozenset({f"{SESSION_MODULE}.get_checkpoint", "ray.train.get_checkpoint"})
SESSION_GETTERS = frozenset(
    {
        "get_world_rank",
        "get_world_size",
        "get_local_rank",
        "get_local_world_size",
        "get_node_rank",
        "get_experiment_name",
    }
)
CONTEXT = "ray.train.get_context"
# What Ray 1 had in place of the context, of `report(metrics)` and of checkpoints.
FIRST_GETTERS: dict[str, str] = {
    f"ray.train.{name}": f"get_{name}" for name in ("world_rank", "world_size", "local_rank")
}
FIRST_CHECKPOINTING = frozenset({"ray.train.save_checkpoint", "ray.train.load_checkpoint"})
REPORT_KEYWORDS = frozenset(
    {
        *("metrics", "checkpoint", "checkpoint_dir_name", "checkpoint_upload_mode"),
        *("delete_local_checkpoint_after_upload", "checkpoint_upload_fn", "validation"),
    }
)
# Current Ray raises on these inside a worker.
SESSION_TRIAL_GETTERS = frozenset(
    {"get_trial_name", "get_trial_id", "get_trial_resources", "get_trial_dir", "get_metadata"}
)

# Methods of the old Checkpoint class that the directory checkpoint doesn't have.
REMOVED_CHECKPOINT_METHODS = frozenset(
    {
        "from_dict",
        "to_dict",
        "from_bytes",
        "to_bytes",
        "from_uri",
        "to_uri",
        "uri",
        "from_checkpoint",
        "get_internal_representation",
        "get_preprocessor",
        "set_preprocessor",
        "from_model",
        "get_model",
        "get_tokenizer",
        "get_training_arguments",
        "_data_dict",
        "_local_path",
        "_metadata",
        "_obj_ref",
        "_uri",
    }
)

# What Ray added to each report, and current Ray doesn't.
AUTOFILLED_METRICS = frozenset(
    {
        "config",
        "date",
        "done",
        "experiment_tag",
        "hostname",
        "iterations_since_restore",
        "node_ip",
        "pid",
        "should_checkpoint",
        "time_since_restore",
        "time_this_iter_s",
        "time_total_s",
        "timestamp",
        "training_iteration",
        "trial_id",
    }
)

# RunConfig's field order, by the first source version that has it.
RUN_CONFIG_FIELDS: dict[tuple[int, int], tuple[str, ...]] = {
    (2, 3): (
        "name",
        "local_dir",
        "callbacks",
        "stop",
        "failure_config",
        "sync_config",
        "checkpoint_config",
        "progress_reporter",
        "verbose",
        "log_to_file",
    ),
    (2, 5): (
        "name",
        "storage_path",
        "callbacks",
        "stop",
        "failure_config",
        "sync_config",
        "checkpoint_config",
        "progress_reporter",
        "verbose",
        "log_to_file",
        "local_dir",
    ),
    (2, 7): (
        "name",
        "storage_path",
        "storage_filesystem",
        "failure_config",
        "checkpoint_config",
        "sync_config",
        "verbose",
        "stop",
        "callbacks",
        "progress_reporter",
        "log_to_file",
        "local_dir",
    ),
}
SCALING_CONFIG_FIELDS = ("trainer_resources", "num_workers", "use_gpu", "resources_per_worker", "placement_strategy")
CHECKPOINT_CONFIG_FIELDS = (
    "num_to_keep",
    "checkpoint_score_attribute",
    "checkpoint_score_order",
    "checkpoint_frequency",
    "checkpoint_at_end",
)
CHECKPOINT_CONFIG_DEFAULTS: dict[str, str] = {
    "num_to_keep": "None",
    "checkpoint_score_attribute": "None",
    "checkpoint_score_order": "max",
    "checkpoint_frequency": "0",
    "checkpoint_at_end": "None",
}
FAILURE_CONFIG_FIELDS = ("max_failures", "fail_fast")
# Ray 2.7 dropped the first two fields of SyncConfig and the last.
SYNC_CONFIGS = frozenset({"ray.tune.SyncConfig", "ray.tune.syncer.SyncConfig", "ray.train.SyncConfig"})
SYNC_CONFIG_FIELDS = ("upload_dir", "syncer")
GONE_SYNC_CONFIG_FIELDS = frozenset({"upload_dir", "syncer", "sync_on_checkpoint"})
FIRST_WITHOUT_UPLOAD_DIR = (2, 7)

# Arguments that current Ray refuses: those that can go (with a word to the reader) and those that change the run.
DROPPED_ARGUMENTS: dict[str, frozenset[str]] = {
    "RunConfig": frozenset({"verbose", "progress_reporter", "log_to_file", "sync_config"}),
    "ScalingConfig": frozenset({"trainer_resources", "_max_cpu_fraction_per_node"}),
    "CheckpointConfig": frozenset({"checkpoint_frequency", "checkpoint_at_end"}),
    "FailureConfig": frozenset({"fail_fast"}),
}
REFUSED_ARGUMENTS: dict[str, frozenset[str]] = {
    "RunConfig": frozenset({"stop", "callbacks"}),
    "ScalingConfig": frozenset(),
    "CheckpointConfig": frozenset(),
    "FailureConfig": frozenset(),
}
# Tune's callbacks: those that write the files which it writes anyway, and those that logged reports elsewhere.
DEFAULT_LOGGERS = frozenset(
    f"ray.tune.{path}{name}LoggerCallback" for path in ("logger.", "") for name in ("CSV", "Json", "TBX")
)
LOGGERS: dict[str, str] = {
    f"ray.{home}.{module}.{name}LoggerCallback": module
    for module, name in (("wandb", "Wandb"), ("mlflow", "MLflow"), ("comet", "Comet"))
    for home in ("air.integrations", "air.callbacks", "tune.integration")
}
# What does in the workers what a callback of Tune, or its `stop`, did to the run of each trainer.
LOGGERS_INSTEAD: dict[str, dict[str, str]] = {
    LIGHTNING_TRAINER: {
        name: f"give the builder `.trainer(logger={logger}(...))`"
        for name, logger in (("wandb", "WandbLogger"), ("mlflow", "MLFlowLogger"), ("comet", "CometLogger"))
    },
    TRANSFORMERS_TRAINER: {
        "wandb": 'give the migrated `TrainingArguments` `report_to=["wandb"]`',
        "mlflow": 'give the migrated `TrainingArguments` `report_to=["mlflow"]`',
        "comet": 'give the migrated `TrainingArguments` `report_to=["comet_ml"]`',
    },
    ACCELERATE_TRAINER: {
        # Current Ray's own `setup_wandb` starts a run in every worker.
        "wandb": "call `wandb.init(...)` and `wandb.log(...)` in the worker of rank 0, or use accelerate's trackers",
        "mlflow": "call `ray.air.integrations.mlflow.setup_mlflow(...)` in the train function",
        "comet": "make a `comet_ml.Experiment` in the worker of rank 0, or use accelerate's trackers",
    },
}
STOP_INSTEAD: dict[str, str] = {
    LIGHTNING_TRAINER: "give the builder `.trainer(max_epochs=...)`, or a callback that sets `trainer.should_stop`",
    TRANSFORMERS_TRAINER: "give `TrainingArguments` its `max_steps` or `num_train_epochs`, "
    "or the Trainer a callback that sets `control.should_training_stop`",
    ACCELERATE_TRAINER: "return from the train function, in all workers, behind the report that ended the run",
}

# The keywords of `iter_torch_batches`, without those that current Ray has dropped.
ITER_TORCH_BATCHES_ARGUMENTS = frozenset(
    {
        "prefetch_batches",
        "batch_size",
        "dtypes",
        "device",
        "collate_fn",
        "drop_last",
        "local_shuffle_buffer_size",
        "local_shuffle_seed",
    }
)
DROPPED_ITER_TORCH_BATCHES_ARGUMENTS = frozenset({"prefetch_blocks"})
SHARD_GETTERS = frozenset({"ray.air.session.get_dataset_shard", "ray.train.get_dataset_shard"})
REMOVED_SHARD_METHODS = frozenset({"iter_epochs"})
DATASET_CONFIGS = frozenset({"ray.air.DatasetConfig", "ray.air.config.DatasetConfig"})
DATA_CONFIGS = frozenset({"ray.train.DataConfig", "ray.train._internal.data_config.DataConfig"})
BATCH_MAPPERS = frozenset({"ray.data.preprocessors.BatchMapper", "ray.data.preprocessors.batch_mapper.BatchMapper"})
PREPROCESSORS = frozenset({"ray.data.Preprocessor", "ray.data.preprocessor.Preprocessor"})
PREPROCESSOR_CHAINS = frozenset({"ray.data.preprocessors.Chain", "ray.data.preprocessors.chain.Chain"})
# DatasetConfig's field order; the settings of how the data are read that have no counterpart, with what they have off.
DATASET_CONFIG_FIELDS = (
    "fit",
    "split",
    "required",
    "transform",
    "max_object_store_memory_fraction",
    "global_shuffle",
    "randomize_block_order",
    "per_epoch_preprocessor",
)
# What reads a dataset lazily, of which Ray 2.6 didn't know the number of rows; methods that leave it so.
LAZY_SOURCES = frozenset(
    {
        "ray.data.range",
        "ray.data.range_tensor",
        *(
            f"ray.data.read_{kind}"
            for kind in (
                *("bigquery", "binary_files", "csv", "datasource", "images", "json", "mongo", "numpy", "parquet"),
                *("parquet_bulk", "sql", "text", "tfrecords", "webdataset"),
            )
        ),
    }
)
LAZY_METHODS = frozenset(
    {
        *("add_column", "drop_columns", "filter", "flat_map", "limit", "map", "map_batches", "random_sample"),
        *("random_shuffle", "randomize_block_order", "repartition", "select_columns", "sort", "union", "zip"),
    }
)
# From these releases on: LightningTrainer demanded an iter config, every dataset is split, blocks keep their order.
FIRST_THAT_WANTS_ITER_CONFIG = (2, 6)
FIRST_THAT_SPLITS_ALL = (2, 7)
FIRST_THAT_KEEPS_BLOCK_ORDER = (2, 6)
# TransformersTrainer took datasets of other names; it fed datasets while they were read.
FIRST_WITH_OTHER_DATASETS = (2, 5)
FIRST_THAT_STREAMS = (2, 6)
# From this release on all workers' files go into a checkpoint, not only the first one's.
FIRST_THAT_MERGES_RANKS = (2, 7)
# From this release on trainers refused `preprocessor=`.
FIRST_WITHOUT_PREPROCESSOR = (2, 7)

STRATEGIES: dict[str, str] = {
    "ddp": "RayDDPStrategy",
    "fsdp": "RayFSDPStrategy",
    "deepspeed": "RayDeepSpeedStrategy",
}
# A builder method that only Ray 2.4 had, and classes that `ray.train` has since Ray 2.7: they tell a file's version.
FIRST_STRATEGY_METHOD = "ddp_strategy"
NEW_CONFIGS = frozenset({"ray.train.RunConfig", "ray.train.ScalingConfig", "ray.train.CheckpointConfig"})
FIRST_SOURCE = (2, 4)
USUAL_SOURCE = (2, 6)
FIRST_TARGET = (2, 7)
LATEST_TARGET = (2, 60)
# From this release on `ray.train.lightning` takes `lightning.pytorch`, which there is in Lightning 2.
FIRST_WITH_LIGHTNING_2 = (2, 8)
# From this release on the new implementation of Ray Train is the default, which raises on much of the old one.
FIRST_STRICT_TARGET = (2, 51)
