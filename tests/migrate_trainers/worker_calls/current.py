"""Stand-ins for current Ray's `ray.train`: as strict as its new implementation about what it takes."""

from __future__ import annotations

import contextlib
import copy
import inspect
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from worker_calls import steps
from worker_calls.data import DataConfig, Dataset, Shard, shards
from worker_calls.libraries import Anything
from worker_calls.recorder import WORKERS, Made, described, recorded_report
from worker_calls.schedule import RayTrainReportCallback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker_calls.frameworks import Modules
    from worker_calls.recorder import Recorder


class Checkpoint:
    """A directory; what the programs give as one is never read."""

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def from_directory(cls, path: str) -> Checkpoint:
        return cls(path)

    @contextlib.contextmanager
    def as_directory(self) -> Iterator[str]:
        yield self.path


@dataclass
class CheckpointConfig:
    num_to_keep: int | None = None
    checkpoint_score_attribute: str | None = None
    checkpoint_score_order: str = "max"


@dataclass
class FailureConfig:
    max_failures: int = 0


@dataclass
class RunConfig:
    name: str | None = None
    storage_path: str | None = None
    storage_filesystem: Any = None
    failure_config: FailureConfig | None = None
    checkpoint_config: CheckpointConfig | None = None
    callbacks: list[Any] | None = None


class UserCallback:
    """What a callback of a trainer derives from."""


@dataclass
class ScalingConfig:
    num_workers: int = 1
    use_gpu: bool = False
    resources_per_worker: dict[str, float] | None = None
    placement_strategy: str = "PACK"


@dataclass
class Device:
    """A torch device, whose text has a number where there may be several."""

    type: str

    def __str__(self) -> str:
        return self.type if self.type == "cpu" else f"{self.type}:0"


class TorchConfig(Made):
    pass


class Result(Made):
    """What `fit()` gives: two checkpoints were kept, of which the second is the latest."""

    metrics = Anything("metrics")
    metrics_dataframe = Anything("metrics_dataframe")
    path = "run"
    error = None

    def __init__(self, checkpoint_class: type[Checkpoint]) -> None:
        super().__init__()
        self.checkpoint = checkpoint_class("latest")
        self.best_checkpoints = [(checkpoint_class("best"), Anything("best")), (self.checkpoint, Anything("latest"))]


def run_workers(
    recorder: Recorder,
    configuration: dict[str, Any],
    worker: Callable[[], Any],
    given: Any,
    checkpoint_class: type[Checkpoint] = Checkpoint,
) -> Result:
    """Call the worker's code once a worker, and again from a checkpoint if the run would survive a failure."""
    attempts = []
    restarts = configuration["max_failures"] != 0
    for checkpoint in (given, Checkpoint("saved")) if restarts else (given,):
        for rank in range(WORKERS):
            recorder.rank, recorder.restored, recorder.calls = rank, checkpoint, []
            try:
                # A worker is a process, which has an environment of its own.
                with mock.patch.dict(os.environ):
                    worker()
            except Exception as error:
                if not restarts:
                    raise
                recorder.call("raised", type(error).__name__)
            finally:
                recorder.rank = None
            attempts.append(recorder.calls)
    recorder.recording.fits.append({"configuration": configuration, "workers": attempts})
    return Result(checkpoint_class)


def described_configuration(scaling: Any, run: Any, torch: Any) -> dict[str, Any]:
    """A trainer's settings in the form in which legacy and current ones compare."""
    checkpoints = run.checkpoint_config or CheckpointConfig()
    # Without an attribute to compare, the order of scores says nothing.
    scored = checkpoints.checkpoint_score_attribute is not None
    return {
        "num_workers": scaling.num_workers,
        "use_gpu": bool(scaling.use_gpu),
        "resources_per_worker": scaling.resources_per_worker,
        "name": run.name,
        "storage_path": run.storage_path,
        "max_failures": run.failure_config.max_failures if run.failure_config else 0,
        "num_to_keep": checkpoints.num_to_keep,
        "score": (checkpoints.checkpoint_score_attribute, checkpoints.checkpoint_score_order) if scored else None,
        "torch_config": described(torch),
    }


def _run_of_trial(tuners: Any, own: RunConfig) -> RunConfig:
    """What the RunConfigs of a Tuner and of its trials' trainer say together, in which legacy Ray's one said it."""
    assert own.name is not None, "each trial has a run of its own"
    assert "trial" in own.name, "each trial has a run of its own"
    assert own.callbacks, "Tune hears of the reports"
    assert own.storage_path == tuners.storage_path
    return RunConfig(
        tuners.name,
        own.storage_path,
        None,
        own.failure_config or tuners.failure_config,
        own.checkpoint_config or tuners.checkpoint_config,
    )


# What a script does with Ray itself, which no migration touches.
DRIVER_CALLS = dict.fromkeys(("init", "shutdown", "is_initialized"), lambda **_: None)


def ray_train(recorder: Recorder) -> Modules:
    class Context:
        def get_world_rank(self) -> int:
            return _rank()

        def get_local_rank(self) -> int:
            return _rank()

        def get_world_size(self) -> int:
            return WORKERS

        def get_local_world_size(self) -> int:
            return WORKERS

    def _rank() -> int:
        assert recorder.rank is not None, "asked for a rank outside a worker"
        return recorder.rank

    def get_checkpoint() -> Any:
        _rank()
        return recorder.restored

    def get_dataset_shard(name: str) -> Shard:
        return Shard(recorder.shards[_rank()][name])

    def report(metrics: dict[str, Any], checkpoint: Any = None) -> None:
        _rank()
        recorded_report(recorder, metrics, checkpoint)

    class TorchTrainer:
        def __init__(
            self,
            train_loop_per_worker: Callable[..., Any],
            *,
            train_loop_config: dict[str, Any] | None = None,
            torch_config: Any = None,
            scaling_config: Any = None,
            run_config: Any = None,
            datasets: dict[str, Dataset] | None = None,
            dataset_config: DataConfig | None = None,
        ) -> None:
            scaling, run = scaling_config or ScalingConfig(), run_config or RunConfig()
            assert isinstance(scaling, ScalingConfig), f"{scaling!r} is no ScalingConfig of ray.train"
            assert isinstance(run, RunConfig), f"{run!r} is no RunConfig of ray.train"
            assert isinstance(run.checkpoint_config, (CheckpointConfig, type(None)))
            assert isinstance(run.failure_config, (FailureConfig, type(None)))
            self.function, self.config = train_loop_per_worker, train_loop_config
            self.settings = scaling, run, torch_config
            assert all(isinstance(dataset, Dataset) for dataset in (datasets or {}).values())
            self.datasets, self.data_config = datasets or {}, dataset_config or DataConfig()

        def fit(self) -> Result:
            required = [
                parameter
                for parameter in inspect.signature(self.function).parameters.values()
                if parameter.default is parameter.empty
                and parameter.kind not in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD)
            ]
            scaling, run, torch = self.settings
            if recorder.trial is not None:
                run = _run_of_trial(recorder.trial, run)
            configuration = described_configuration(scaling, run, torch)

            recorder.device = "cuda" if scaling.use_gpu else "cpu"

            def worker() -> None:
                # A function whose parameter has a default is called without the configuration.
                self.function(*[copy.deepcopy(self.config or {}) for _ in required])

            recorder.shards = shards(self.datasets, self.data_config.splits)
            return run_workers(recorder, configuration, worker, None)

    return {
        "ray": DRIVER_CALLS,
        "ray.train": {
            "Checkpoint": Checkpoint,
            "CheckpointConfig": CheckpointConfig,
            "FailureConfig": FailureConfig,
            "RunConfig": RunConfig,
            "ScalingConfig": ScalingConfig,
            "UserCallback": UserCallback,
            "Result": Result,
            "get_checkpoint": get_checkpoint,
            "get_context": Context,
            "get_dataset_shard": get_dataset_shard,
            "DataConfig": DataConfig,
            "report": report,
        },
        "ray.train.torch": {
            "TorchTrainer": TorchTrainer,
            "TorchConfig": TorchConfig,
            "get_device": lambda: Device(recorder.device),
        },
        "ray.train.lightning": _lightning_names(),
        "ray.train.huggingface": {},
        "ray.train.huggingface.transformers": {
            "RayTrainReportCallback": type(
                "RayTrainReportCallback", (steps.RayTrainReportCallback,), {"report": staticmethod(report)}
            ),
            "prepare_trainer": _prepare_transformers_trainer,
        },
    }


def _lightning_names() -> dict[str, Any]:
    def prepare_trainer(trainer: Any) -> Any:
        strategy, plugins = trainer.kwargs["strategy"], trainer.kwargs["plugins"]
        assert type(strategy).__name__ in ("RayDDPStrategy", "RayFSDPStrategy", "RayDeepSpeedStrategy")
        assert type(plugins[-1]).__name__ == "RayLightningEnvironment"
        return trainer

    names = ("RayDDPStrategy", "RayFSDPStrategy", "RayDeepSpeedStrategy", "RayLightningEnvironment")
    classes = {name: type(name, (Made,), {}) for name in names}
    return classes | {"RayTrainReportCallback": RayTrainReportCallback, "prepare_trainer": prepare_trainer}


def _prepare_transformers_trainer(trainer: Any) -> Any:
    trainer.prepared = True
    return trainer
