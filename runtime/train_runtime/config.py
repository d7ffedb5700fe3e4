"""The configuration classes of `ray.train`, with the field order and the checks of Ray 2.60.

Fields that only Ray 2.7 knew are still taken where leaving them out changes nothing about the training: each warns with
a `DeprecationWarning` that says what happens instead. Fields that decide how training goes (`stop`, callbacks of Tune)
raise, as they do on Ray 2.60, because ignoring them would silently train something else.
"""

from __future__ import annotations

import datetime
import logging
import os
import warnings
from dataclasses import dataclass
from typing import Any, Literal

from train_runtime import _runtime_env
from train_runtime.callback import UserCallback

DEFAULT_STORAGE_PATH = "~/ray_results"
TRAIN_DATASET_KEY = "train"


def warn_ignored(argument: str, consequence: str, *, stacklevel: int = 4) -> None:
    """Warn that a Ray 2.7 argument is accepted without effect; the default level points at a dataclass's caller."""
    warnings.warn(
        f"`{argument}` is no longer part of Ray Train: {consequence}", DeprecationWarning, stacklevel=stacklevel
    )


@dataclass
class ScalingConfig:
    """How many workers, and what each one gets (Ray 2.60's fields, in its order).

    `num_workers` 0 is Ray's local mode: the train function runs in the driver's own process, and nothing is stored.
    `(minimum, maximum)` starts as many workers as there are GPUs (with `use_gpu`) or CPUs for; their number stays.

    Of `resources_per_worker`, "CPU" bounds a worker's threads and "GPU" says how many it gets. What chooses among a
    cluster's machines (`accelerator_type`, `label_selector`, other resources) has no effect, and `fit()` warns of it.

    Raises:
        ValueError: for a worker count that is neither an int from 0 on nor a range, GPUs that contradict `use_gpu`,
            TPUs, and what else Ray refuses.
    """

    trainer_resources: dict[str, float] | None = None
    num_workers: int | tuple[int, int] = 1
    use_gpu: bool = False
    resources_per_worker: dict[str, float] | None = None
    placement_strategy: str = "PACK"
    accelerator_type: str | None = None
    label_selector: dict[str, str] | list[dict[str, str]] | None = None
    use_tpu: bool = False
    topology: str | None = None
    elastic_resize_monitor_interval_s: float = 60.0

    def __post_init__(self) -> None:
        if self.trainer_resources is not None:
            warn_ignored("ScalingConfig(trainer_resources)", "the controller runs in your script's own process.")
        self._check_num_workers()
        if self.elastic_resize_monitor_interval_s < 0:
            raise ValueError("ScalingConfig(elastic_resize_monitor_interval_s) must be non-negative.")
        most = self.num_workers if isinstance(self.num_workers, int) else self.num_workers[1]
        if isinstance(self.label_selector, list) and len(self.label_selector) != most:
            raise ValueError("ScalingConfig(label_selector) must have as many entries as there are workers.")
        if (self.resources_per_worker or {}).get("TPU", 0) > 0:
            raise ValueError("`resources_per_worker` asks for `TPU`: this runtime has no TPU workers.")
        if self.use_tpu:
            raise ValueError("ScalingConfig(use_tpu=True): this runtime has no TPU workers; run the script on Ray.")
        if not self.use_gpu and (self.resources_per_worker or {}).get("GPU", 0) > 0:
            raise ValueError(
                "`use_gpu` is False but `resources_per_worker` asks for `GPU`: set `use_gpu=True` or remove `GPU`."
            )
        if self.use_gpu and self.num_gpus_per_worker <= 0:
            raise ValueError(
                "`use_gpu` is True but `resources_per_worker` sets `GPU` to 0: set `use_gpu=False` or ask for GPUs."
            )

    def _check_num_workers(self) -> None:
        count = self.num_workers
        if isinstance(count, int):
            low = high = count
        elif isinstance(count, tuple) and len(count) == 2 and all(isinstance(bound, int) for bound in count):
            low, high = count
        else:
            raise ValueError("ScalingConfig(num_workers) must be an int or a tuple of two ints.")
        if low < 0:
            raise ValueError(f"Invalid ScalingConfig(num_workers={count}): the number of workers cannot be negative.")
        if low > high or high == 0 != count:
            raise ValueError(f"Invalid ScalingConfig(num_workers={count}): must be (minimum, maximum).")

    @property
    def num_gpus_per_worker(self) -> float:
        """GPUs for each worker: 1 with `use_gpu` unless `resources_per_worker` says otherwise."""
        return (self.resources_per_worker or {}).get("GPU", 1.0 if self.use_gpu else 0.0)

    @property
    def num_cpus_per_worker(self) -> float:
        """CPUs for each worker, which bound its threads: 1 unless `resources_per_worker` says otherwise."""
        return (self.resources_per_worker or {}).get("CPU", 1.0)


@dataclass
class CheckpointConfig:
    """Which checkpoints stay on disk (Ray 2.60's fields).

    With `num_to_keep=k` the k best by `checkpoint_score_attribute` stay, or the k newest without one; the latest is
    never deleted. The default order is "max".

    Raises:
        ValueError: if `num_to_keep` is below 1, the order is unknown, or a checkpoint frequency is asked for.
    """

    num_to_keep: int | None = None
    checkpoint_score_attribute: str | None = None
    checkpoint_score_order: Literal["max", "min"] = "max"
    checkpoint_frequency: int | None = None
    checkpoint_at_end: bool | None = None

    def __post_init__(self) -> None:
        if self.checkpoint_frequency:
            raise ValueError(
                f"CheckpointConfig(checkpoint_frequency={self.checkpoint_frequency}): checkpoints are taken when the "
                "train function calls `report(..., checkpoint=...)`; call it that often instead."
            )
        if self.checkpoint_frequency is not None:
            warn_ignored("CheckpointConfig(checkpoint_frequency=0)", "0 was without effect; remove the argument.")
        if self.checkpoint_at_end:
            raise ValueError(
                "CheckpointConfig(checkpoint_at_end=True): report a checkpoint at the train function's end instead."
            )
        if self.checkpoint_at_end is not None:
            warn_ignored("CheckpointConfig(checkpoint_at_end)", "False was without effect; remove the argument.")
        if self.num_to_keep is not None and self.num_to_keep <= 0:
            raise ValueError(f"Invalid num_to_keep: {self.num_to_keep}. Must be None or an int >= 1.")
        if self.checkpoint_score_order not in ("max", "min"):
            raise ValueError(
                f"Invalid checkpoint_score_order: {self.checkpoint_score_order!r}. Must be 'max' or 'min'."
            )


@dataclass
class FailureConfig:
    """How often the worker group is restarted after a failure: 0 never, -1 without limit (Ray 2.60's fields).

    The fields beyond `max_failures` concern clusters (lost controllers, preempted nodes) and have no effect here.
    """

    max_failures: int = 0
    fail_fast: bool | str | None = None
    controller_failure_limit: int = -1
    max_preemption_failures: int = -1
    relax_collectives_on_preemption: bool = False
    preemption_grace_s: float = 0.0

    def __post_init__(self) -> None:
        if self.fail_fast is None:
            return
        if self.fail_fast and self.max_failures != 0:
            raise ValueError(f"max_failures must be 0 if fail_fast={self.fail_fast!r}.")
        warn_ignored("FailureConfig(fail_fast)", "a failing worker always stops the whole group at once.")


@dataclass
class DataConfig:
    """Which of the `datasets` are split between workers; each worker gets the others whole (Ray 2.60's fields).

    `execution_options` and `enable_shard_locality` concern clusters and have no effect here.
    """

    datasets_to_split: Literal["all"] | list[str] = "all"
    execution_options: Any = None
    enable_shard_locality: bool = True

    def __post_init__(self) -> None:
        if self.datasets_to_split != "all" and not isinstance(self.datasets_to_split, list):
            raise TypeError('`datasets_to_split` must be "all" or a list of dataset names.')
        if hasattr(self, "configure"):
            raise NotImplementedError(
                "This runtime does not call `DataConfig.configure`: give the datasets to the trainer as they shall be."
            )


@dataclass
class SyncConfig:
    """When Ray uploads a trial's files (Ray 2.60's fields); `RunConfig(sync_config)` has no effect any more."""

    sync_period: int = 300
    sync_timeout: int = 1800
    sync_artifacts: bool = False
    sync_artifacts_on_checkpoint: bool = True


@dataclass
class LoggingConfig:
    """How much is printed (Ray 2.60's field): "INFO" and below everything, above it neither progress nor notes.

    Warnings, failures and what the workers print always appear.

    Raises:
        ValueError: for something else than the name of a level of Python's `logging`.
    """

    log_level: str = "INFO"

    def __post_init__(self) -> None:
        name = self.log_level.upper() if isinstance(self.log_level, str) else None
        if not isinstance(logging.getLevelName(name or ""), int):
            raise ValueError(f"Invalid log_level: {self.log_level!r}. Must be a level's name, such as 'WARNING'.")
        assert name is not None
        self.log_level = name


@dataclass
class RunConfig:
    """What the run is called, where it is stored, and how checkpoints and failures are treated (Ray 2.60's fields).

    A second run with the same `name` and `storage_path` continues the first from its latest checkpoint.
    Of `worker_runtime_env` the key `env_vars` is honoured; `config` and `excludes` have no effect.

    Raises:
        TypeError: for `env_vars` that are not strings.
        DeprecationWarning: for `stop`, raised as Ray 2.60 raises it.
        ValueError: for callbacks that are no `UserCallback`, other keys of `worker_runtime_env`, and configuration
            objects of other classes.
    """

    name: str | None = None
    storage_path: str | os.PathLike[str] | None = None
    storage_filesystem: Any = None
    failure_config: FailureConfig | None = None
    checkpoint_config: CheckpointConfig | None = None
    callbacks: list[UserCallback] | None = None
    worker_runtime_env: dict[str, Any] | None = None
    logging_config: LoggingConfig | None = None
    sync_config: Any = None
    verbose: Any = None
    stop: Any = None
    progress_reporter: Any = None
    log_to_file: Any = None

    def __post_init__(self) -> None:
        if self.stop is not None:
            raise DeprecationWarning(
                "`RunConfig(stop)` is no longer part of Ray Train. Return from the train function when the condition "
                "holds, or bound its loop (`max_epochs`, `max_steps`)."
            )
        self.callbacks = list(self.callbacks or [])
        if not all(isinstance(callback, UserCallback) for callback in self.callbacks):
            raise ValueError(
                "RunConfig(callbacks) takes instances of `ray.train.UserCallback`: callbacks of Ray Tune are no longer "
                "called by Ray Train. Log from the train function, or from a `UserCallback`."
            )
        if self.sync_config is not None:
            warn_ignored("RunConfig(sync_config)", "results are always written to `storage_path`.")
        if self.verbose is not None:
            warn_ignored("RunConfig(verbose)", "progress is always printed.")
        if self.progress_reporter is not None:
            warn_ignored("RunConfig(progress_reporter)", "progress is always printed.")
        if self.log_to_file is not None:
            warn_ignored(
                "RunConfig(log_to_file)", "each worker's output is always in logs/rank_<N>.log of the run's folder."
            )
        self.worker_runtime_env = dict(self.worker_runtime_env or {})
        _runtime_env.check(self.worker_runtime_env)
        self.name = self.name or f"ray_train_run-{datetime.datetime.now():%Y-%m-%d_%H-%M-%S}"
        self.storage_path = os.fspath(self.storage_path or DEFAULT_STORAGE_PATH)
        self.failure_config = self.failure_config or FailureConfig()
        self.checkpoint_config = self.checkpoint_config or CheckpointConfig()
        check_type("CheckpointConfig", self.checkpoint_config, CheckpointConfig)
        check_type("FailureConfig", self.failure_config, FailureConfig)
        self.logging_config = self.logging_config or LoggingConfig()
        check_type("LoggingConfig", self.logging_config, LoggingConfig)


def check_type(name: str, value: object, expected: type) -> None:
    """Raise `ValueError` for a look-alike of a configuration class, such as the one from `ray.air`."""
    if not isinstance(value, expected):
        raise ValueError(f"Invalid `{name}` type: {type(value)}. Use the `{name}` of the package you import from.")
