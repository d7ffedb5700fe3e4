"""Stand-ins for the removed trainers, which do around a run what Ray 2.6 (or 2.5, 2.4) did."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from worker_calls.accelerate import launcher_variables, loaded_config
from worker_calls.current import (
    DRIVER_CALLS,
    Checkpoint,
    Result,
    TorchConfig,
    described_configuration,
    run_workers,
)
from worker_calls.data import (
    Batches,
    DataConfig,
    DatasetConfig,
    LegacyShard,
    RayDataModule,
    legacy_split,
    preprocessed,
    shards,
)
from worker_calls.loaders import fed, read_by_legacy_trainer
from worker_calls.recorder import WORKERS, Made, recorded_report
from worker_calls.schedule import RayModelCheckpoint
from worker_calls.steps import TrainReportCallback

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker_calls.frameworks import Modules
    from worker_calls.recorder import Recorder

Version = tuple[int, int]


@dataclass
class ScalingConfig:
    trainer_resources: dict[str, float] | None = None
    num_workers: int | None = None
    use_gpu: bool = False
    resources_per_worker: dict[str, float] | None = None
    placement_strategy: str = "PACK"


@dataclass
class CheckpointConfig:
    num_to_keep: int | None = None
    checkpoint_score_attribute: str | None = None
    checkpoint_score_order: str = "max"
    checkpoint_frequency: int = 0
    checkpoint_at_end: bool | None = None


@dataclass
class FailureConfig:
    max_failures: int = 0
    fail_fast: bool | str = False


_RUN_CONFIG_FIELDS = {
    (2, 4): "name local_dir callbacks stop failure_config sync_config checkpoint_config progress_reporter verbose "
    "log_to_file",
    (2, 5): "name storage_path callbacks stop failure_config sync_config checkpoint_config progress_reporter verbose "
    "log_to_file local_dir",
    (2, 7): "name storage_path storage_filesystem failure_config checkpoint_config sync_config verbose stop callbacks "
    "progress_reporter log_to_file local_dir",
}


def run_config_class(version: Version) -> type:
    """RunConfig with the order of fields that a version had."""
    first = max(known for known in _RUN_CONFIG_FIELDS if known <= version)
    names = _RUN_CONFIG_FIELDS[first].split()
    fields = [(name, Any, dataclasses.field(default=None)) for name in names]
    return dataclasses.make_dataclass("RunConfig", fields)


def builder_class() -> type:
    class LightningConfigBuilder:
        def __init__(self) -> None:
            self._module_class: Any = None
            self._module_init_config: dict[str, Any] = {}
            self._trainer_init_config: dict[str, Any] = {}
            self._trainer_fit_params: dict[str, Any] = {}
            self._strategy_config: dict[str, Any] = {}
            self._model_checkpoint_config: dict[str, Any] = {}

        def module(self, cls: Any = None, **kwargs: Any) -> Any:
            self._module_class = cls
            self._module_init_config.update(kwargs)
            return self

        def trainer(self, **kwargs: Any) -> Any:
            self._trainer_init_config.update(kwargs)
            return self

        def fit_params(self, **kwargs: Any) -> Any:
            self._trainer_fit_params.update(kwargs)
            return self

        def strategy(self, name: str = "ddp", **kwargs: Any) -> Any:
            if name not in ("ddp", "fsdp", "deepspeed"):
                raise ValueError(f"{name} is no strategy")
            self._strategy_config["_strategy_name"] = name
            self._strategy_config.update(kwargs)
            return self

        def ddp_strategy(self, **kwargs: Any) -> Any:
            return self.strategy("ddp", **kwargs)

        def checkpointing(self, **kwargs: Any) -> Any:
            self._model_checkpoint_config.update(kwargs)
            return self

        def build(self) -> dict[str, Any]:
            config = dict(self.__dict__)
            if self._module_class is None:
                del config["_module_class"]
            return config

    return LightningConfigBuilder


_STRATEGIES = {"ddp": "RayDDPStrategy", "fsdp": "RayFSDPStrategy", "deepspeed": "RayDeepSpeedStrategy"}


@dataclass
class Trainable:
    """A trainer that was made a trainable."""

    trainer: Any


class _Trainer:
    """What the legacy trainers have in common."""

    recorder: Recorder
    version: Version
    run_config_class: type
    checkpoint_class: type[Checkpoint] = Checkpoint
    constructor: dict[str, Any]
    first_parameter = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        trainer = super().__new__(cls)
        # A Tuner makes the trainer anew for each trial, of what it was made of.
        trainer.constructor = {**dict(zip([cls.first_parameter], args, strict=False)), **kwargs}
        return trainer

    def __init__(
        self,
        *,
        torch_config: Any = None,
        scaling_config: Any = None,
        run_config: Any = None,
        datasets: Any = None,
        dataset_config: Any = None,
        preprocessor: Any = None,
        resume_from_checkpoint: Any = None,
        metadata: Any = None,
    ) -> None:
        if isinstance(scaling_config, dict):
            scaling_config = ScalingConfig(**scaling_config)
        assert scaling_config is not None, "the programs here say how many workers they want"
        assert scaling_config.num_workers is not None, "num_workers is required"
        self.scaling_config = scaling_config
        self.run_config = copy.copy(run_config) if run_config is not None else self.run_config_class()
        self.torch_config = torch_config
        self.checkpoint = resume_from_checkpoint
        self.datasets, self.dataset_config, self.preprocessor = datasets or {}, dataset_config, preprocessor

    @classmethod
    def can_restore(cls, path: str) -> bool:
        """No experiment has run before a program here."""
        return False

    def as_trainable(self) -> Any:
        """What `tune.run` takes."""
        return Trainable(self)

    def fit(self) -> Any:
        run = copy.copy(self.run_config)
        run.storage_path = getattr(run, "storage_path", None) or run.local_dir
        configuration = described_configuration(self.scaling_config, run, self.torch_config)
        old_config = None if isinstance(self.dataset_config, DataConfig) else self.dataset_config
        datasets = preprocessed(self.datasets, self.preprocessor, old_config)
        self.recorder.shards = shards(datasets, legacy_split(self.version, self.dataset_config))
        return run_workers(self.recorder, configuration, self.work, self.checkpoint, self.checkpoint_class)

    @property
    def in_bulk(self) -> bool:
        """Whether the datasets are read before the run, as Ray 2.5 did."""
        return bool(self.preprocessor or (self.dataset_config and not isinstance(self.dataset_config, DataConfig)))

    def work(self) -> None:
        raise NotImplementedError


class LightningCheckpoint(Checkpoint):
    """A folder with the file `model`."""

    @classmethod
    def from_uri(cls, uri: str) -> LightningCheckpoint:
        return cls(uri)

    @classmethod
    def from_checkpoint(cls, other: Checkpoint) -> LightningCheckpoint:
        return cls(other.path)

    @classmethod
    def from_path(cls, path: str, *, preprocessor: None = None) -> LightningCheckpoint:
        """The legacy class copied the file; here the path itself goes on, as no test reads it."""
        return FileCheckpoint(path)

    def get_model(self, model_class: Any, **kwargs: Any) -> Any:
        return model_class.load_from_checkpoint(self.file_of(self), **kwargs)

    @staticmethod
    def file_of(checkpoint: Checkpoint) -> str:
        return checkpoint.path if isinstance(checkpoint, FileCheckpoint) else os.path.join(checkpoint.path, "model")


class FileCheckpoint(LightningCheckpoint):
    """What `from_path` gives."""


def lightning_trainer(recorder: Recorder, frameworks: Modules, run_config: type, version: Version) -> type:
    pl = frameworks["pytorch_lightning"]
    environments = frameworks["pytorch_lightning.plugins.environments"]

    class LightningTrainer(_Trainer):
        checkpoint_class = LightningCheckpoint
        first_parameter = "lightning_config"

        def __init__(self, lightning_config: Any = None, *, datasets_iter_config: Any = None, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            assert not self.datasets or datasets_iter_config or version < (2, 6), "no datasets_iter_config"
            self.lightning_config, self.iter_config = lightning_config or {}, datasets_iter_config
            self._fill_in_checkpoint_config()

        def _fill_in_checkpoint_config(self) -> None:
            own = self.run_config.checkpoint_config
            if version < (2, 6) or own not in (None, CheckpointConfig()):
                return
            given = self.lightning_config.get("_model_checkpoint_config", {})
            keep = given.get("save_top_k", 1)
            self.run_config.checkpoint_config = CheckpointConfig(
                num_to_keep=None if keep == -1 else max(keep, 1),
                checkpoint_score_attribute=given.get("monitor"),
                checkpoint_score_order=given.get("mode", "min"),
            )

        def work(self) -> None:
            config = {
                name: dict(part) if isinstance(part, dict) else part for name, part in self.lightning_config.items()
            }
            settings, fit = config["_trainer_init_config"], config["_trainer_fit_params"]
            checkpointing, strategy = config["_model_checkpoint_config"], config["_strategy_config"]
            self._feed_datasets(fit)
            assert {"train_dataloaders", "datamodule"} & set(fit), "there are no data"
            module = config["_module_class"](**config["_module_init_config"])
            settings["devices"] = "auto"
            settings.pop("num_nodes", None)
            environment = environments["ClusterEnvironment"]
            plugins = [plugin for plugin in settings.get("plugins", []) if not isinstance(plugin, environment)]
            settings["plugins"] = [*plugins, _named("RayLightningEnvironment")()]
            settings["strategy"] = _named(_STRATEGIES[strategy.pop("_strategy_name", "ddp")])(**strategy)
            callbacks = settings.get("callbacks", [])
            assert isinstance(callbacks, list), "another type can't be added to a list"
            settings["callbacks"] = [*callbacks, RayModelCheckpoint(**{**checkpointing, "save_last": True})]
            settings.pop("enable_checkpointing", None)
            # Workers without a GPU saw none, so that Lightning took the CPU.
            if not self.scaling_config.use_gpu and settings.get("accelerator", "auto") == "auto":
                settings["accelerator"] = "cpu"
            if recorder.restored is not None:
                fit["ckpt_path"] = LightningCheckpoint.file_of(recorder.restored)
            pl["Trainer"](**settings).fit(module, **fit)

        def _feed_datasets(self, fit: dict[str, Any]) -> None:
            """Put what reads the shards called `train` and `val` in the place of any datamodule."""
            assert recorder.rank is not None
            own = recorder.shards[recorder.rank]
            if "train" in own:
                arguments = dict(self.iter_config)
                arguments.pop("prefetch_blocks", None)
                if arguments.get("device", "") is None:
                    # The worker's own device, as current Ray takes it by default.
                    del arguments["device"]
                val = Batches(own["val"], arguments) if "val" in own else None
                fit["datamodule"] = RayDataModule(Batches(own["train"], arguments), val)

    return _completed(LightningTrainer, recorder, run_config, version)


def transformers_checkpoint(frameworks: Modules) -> type[Checkpoint]:
    class TransformersCheckpoint(Checkpoint):
        """A folder with the files of a model, its tokenizer and the arguments of its training."""

        @classmethod
        def from_uri(cls, uri: str) -> TransformersCheckpoint:
            return cls(uri)

        @classmethod
        def from_checkpoint(cls, other: Checkpoint) -> TransformersCheckpoint:
            return cls(other.path)

        def get_model(self, model: Any, **kwargs: Any) -> Any:
            return model.from_pretrained(self.path, **kwargs)

        def get_tokenizer(self, tokenizer: Any, **kwargs: Any) -> Any:
            return tokenizer.from_pretrained(self.path, **kwargs)

        def get_training_arguments(self) -> Any:
            path = os.path.join(self.path, "training_args.bin")
            return frameworks["torch"]["load"](path, weights_only=False)

    return TransformersCheckpoint


def _check_schedule(arguments: dict[str, Any]) -> None:
    """What TransformersTrainer refused of a Trainer's arguments."""
    logging = arguments.get("logging_strategy", "steps")
    saves, evaluates = arguments.get("save_strategy", "steps"), arguments.get("evaluation_strategy", "no")
    every = arguments.get("logging_steps", 500)
    if {saves, evaluates} - {"no", logging} or arguments.get("load_best_model_at_end"):
        raise ValueError("the strategies differ, or the best model is wanted at the end")
    if saves == "steps" and arguments.get("save_steps", 500) % every:
        raise ValueError("save_steps is no multiple of logging_steps")
    if evaluates == "steps" and arguments.get("eval_steps", every) != every:
        raise ValueError("eval_steps isn't logging_steps")


def transformers_trainer(recorder: Recorder, run_config: type, version: Version, checkpoint: type[Checkpoint]) -> type:
    class TransformersTrainer(_Trainer):
        first_parameter = "trainer_init_per_worker"
        checkpoint_class = checkpoint

        def __init__(self, trainer_init_per_worker: Any, *, trainer_init_config: Any = None, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            assert len(inspect.signature(trainer_init_per_worker).parameters) >= 3
            self.function = trainer_init_per_worker
            self.config = dict(trainer_init_config or {})

        def work(self) -> None:
            assert recorder.rank is not None
            own = recorder.shards[recorder.rank]
            train = own.get("train")
            counted = train is not None and (train.is_counted or version < (2, 6) or self.in_bulk)
            trainer = self.function(
                fed(train, has_length=counted),
                fed(own.get("evaluation"), has_length=True),
                **copy.deepcopy(self.config),
            )
            read_by_legacy_trainer(trainer)
            arguments = trainer.given["args"]
            # Integrations were removed from the callbacks, whatever `report_to` said.
            given = {name: value for name, value in arguments.made_with[1] if name != "report_to"}
            if not self.scaling_config.use_gpu and not {"use_cpu", "no_cuda"} & given.keys():
                # Workers without a GPU saw none, so that the Trainer took the CPU.
                given["use_cpu"] = True
            arguments.made_with = (arguments.made_with[0], (*given.items(), ("report_to", "none")))
            _check_schedule(given)
            trainer.add_callback(TrainReportCallback(partial(recorded_report, recorder)))
            trainer.prepared, trainer.evaluates_last = True, False
            restored = recorder.restored
            trainer.train(resume_from_checkpoint=restored.path if restored is not None else None)

    return _completed(TransformersTrainer, recorder, run_config, version)


def accelerate_trainer(recorder: Recorder, run_config: type, version: Version) -> type:
    class AccelerateTrainer(_Trainer):
        first_parameter = "train_loop_per_worker"

        def __init__(
            self,
            train_loop_per_worker: Callable[..., Any],
            *,
            train_loop_config: Any = None,
            accelerate_config: Any = None,
            **kwargs: Any,
        ) -> None:
            super().__init__(**kwargs)
            self.function, self.config = train_loop_per_worker, train_loop_config
            assert len(inspect.signature(train_loop_per_worker).parameters) <= 1, "it takes at most a configuration"
            self.accelerate_config = loaded_config(accelerate_config)

        def work(self) -> None:
            os.environ.update(launcher_variables(self.accelerate_config, use_gpu=self.scaling_config.use_gpu))
            takes_config = len(inspect.signature(self.function).parameters) == 1
            self.function(*[copy.deepcopy(self.config or {})] * takes_config)

    return _completed(AccelerateTrainer, recorder, run_config, version)


def _completed(trainer: type, recorder: Recorder, run_config: type, version: Version) -> type:
    return type(
        trainer.__name__, (trainer,), {"recorder": recorder, "run_config_class": run_config, "version": version}
    )


def _named(name: str) -> type:
    return type(name, (Made,), {})


def ray(recorder: Recorder, frameworks: Modules, version: Version) -> Modules:
    """The modules of legacy Ray, to be laid over those of the current one."""
    run_config = run_config_class(version)
    configs = {
        "RunConfig": run_config,
        "ScalingConfig": ScalingConfig,
        "CheckpointConfig": CheckpointConfig,
        "FailureConfig": FailureConfig,
    }

    def get_checkpoint() -> Any:
        return recorder.restored

    def report(metrics: dict[str, Any], *, checkpoint: Any = None) -> None:
        recorded_report(recorder, metrics, checkpoint)

    session = {
        "report": report,
        "get_checkpoint": get_checkpoint,
        "get_world_rank": lambda: recorder.rank,
        "get_local_rank": lambda: recorder.rank,
        "get_world_size": lambda: WORKERS,
        "get_local_world_size": lambda: WORKERS,
        "get_dataset_shard": lambda name: LegacyShard(recorder.shards[recorder.rank or 0][name]),
    }
    lightning = {
        "LightningConfigBuilder": builder_class(),
        "LightningTrainer": lightning_trainer(recorder, frameworks, run_config, version),
        "LightningCheckpoint": LightningCheckpoint,
    }
    checkpoint = transformers_checkpoint(frameworks)
    transformers = {
        "TransformersTrainer": transformers_trainer(recorder, run_config, version, checkpoint),
        "TransformersCheckpoint": checkpoint,
    }
    old_names = {name.replace("Transformers", "HuggingFace"): value for name, value in transformers.items()}
    accelerate = {"AccelerateTrainer": accelerate_trainer(recorder, run_config, version)}
    return {
        "ray": DRIVER_CALLS,
        "ray.air": {**configs, "Checkpoint": Checkpoint, "DatasetConfig": DatasetConfig, "Result": Result},
        "ray.air.config": {**configs, "DatasetConfig": DatasetConfig},
        "ray.air.session": session,
        "ray.air.checkpoint": {"Checkpoint": Checkpoint},
        "ray.air.result": {"Result": Result},
        "ray.tune": configs,
        "ray.train": {
            **configs,
            "Checkpoint": Checkpoint,
            "get_checkpoint": get_checkpoint,
            "report": report,
            "get_dataset_shard": session["get_dataset_shard"],
            "DataConfig": DataConfig,
        },
        "ray.train.torch": {"TorchConfig": TorchConfig},
        "ray.train.lightning": lightning,
        "ray.train.lightning.lightning_trainer": lightning,
        "ray.train.huggingface": {
            **transformers,
            **old_names,
            **accelerate,
        },
        "ray.train.huggingface.accelerate": accelerate,
        "ray.train.huggingface.transformers": transformers,
        "ray.train.huggingface.huggingface_checkpoint": old_names,
    }
