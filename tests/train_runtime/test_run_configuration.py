"""What the configuration classes and the trainer's constructor accept and refuse."""

from __future__ import annotations

import dataclasses
import functools
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from train_runtime import (
    Checkpoint,
    CheckpointConfig,
    DataConfig,
    FailureConfig,
    RunConfig,
    ScalingConfig,
    SyncConfig,
    TorchConfig,
    TorchTrainer,
    _placement,
    _runtime_env,
)
from train_runtime._placement import place_workers
from train_runtime.torch.trainer import _takes_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ScalingConfig(num_workers=(0, 0)), ValueError, "minimum, maximum"),
        (lambda: ScalingConfig(num_workers=-1), ValueError, "negative"),
        (lambda: ScalingConfig(num_workers=None), ValueError, "must be an int"),
        (lambda: ScalingConfig(num_workers=(4, 1)), ValueError, "minimum, maximum"),
        (lambda: ScalingConfig(num_workers=(-1, 1)), ValueError, "negative"),
        (lambda: ScalingConfig(num_workers=(1, 2.5)), ValueError, "a tuple of two ints"),
        (lambda: ScalingConfig(use_tpu=True), ValueError, "TPU"),
        (lambda: ScalingConfig(resources_per_worker={"GPU": 1}), ValueError, "`use_gpu` is False"),
        (lambda: ScalingConfig(use_gpu=True, resources_per_worker={"GPU": 0}), ValueError, "to 0"),
        (lambda: CheckpointConfig(num_to_keep=0), ValueError, "num_to_keep: 0"),
        (lambda: CheckpointConfig(checkpoint_score_order="best"), ValueError, "'best'"),
        (lambda: CheckpointConfig(checkpoint_frequency=2), ValueError, "report"),
        (lambda: CheckpointConfig(checkpoint_at_end=True), ValueError, "end"),
        (lambda: FailureConfig(max_failures=1, fail_fast=True), ValueError, "max_failures must be 0"),
        (lambda: RunConfig(stop={"loss": 0.1}), DeprecationWarning, "stop"),
        (lambda: RunConfig(callbacks=[object()]), ValueError, "UserCallback"),
        (lambda: RunConfig(worker_runtime_env={"pip": ["x"]}), ValueError, "pip"),
        (lambda: RunConfig(worker_runtime_env={"working_dir": "."}), ValueError, "working_dir"),
        (lambda: RunConfig(worker_runtime_env={"env_vars": {"A": 1}}), TypeError, "but 1 is <class 'int'>"),
        (lambda: RunConfig(worker_runtime_env={"env_vars": ["A"]}), TypeError, "list"),
        (lambda: ScalingConfig(resources_per_worker={"TPU": 1}), ValueError, "TPU"),
        (lambda: ScalingConfig(elastic_resize_monitor_interval_s=-1), ValueError, "non-negative"),
        (lambda: ScalingConfig(num_workers=2, label_selector=[{}]), ValueError, "as many entries"),
        (lambda: place_workers(ScalingConfig(placement_strategy="NEAR"), {}), ValueError, "must be one of"),
        (
            lambda: place_workers(ScalingConfig(num_workers=2, placement_strategy="STRICT_SPREAD"), {}),
            ValueError,
            "2 machines",
        ),
        (lambda: RunConfig(checkpoint_config=FailureConfig()), ValueError, "Invalid `CheckpointConfig` type"),
        (lambda: RunConfig(failure_config=CheckpointConfig()), ValueError, "Invalid `FailureConfig` type"),
        (lambda: RunConfig(local_dir="x"), TypeError, "local_dir"),
        (lambda: SyncConfig(upload_dir="x"), TypeError, "upload_dir"),
        (lambda: ScalingConfig(_max_cpu_fraction_per_node=1), TypeError, "_max_cpu_fraction_per_node"),
        (lambda: DataConfig(datasets_to_split="train"), TypeError, "datasets_to_split"),
        (lambda: TorchConfig(init_method="file"), ValueError, "init_method"),
        (lambda: TorchTrainer(print, scaling_config={"num_workers": 1}), ValueError, "Invalid `ScalingConfig` type"),
        (lambda: TorchTrainer(print, run_config=object()), ValueError, "Invalid `RunConfig` type"),
        (lambda: TorchTrainer(lambda a, b: None), ValueError, r"requires \['a', 'b'\]"),
        (lambda: TorchTrainer("train"), ValueError, "must be a function"),
        (lambda: TorchTrainer(print, datasets=[[1, 2]]), ValueError, "must be a dictionary"),
        (lambda: TorchTrainer(print, datasets={"train": 3}), ValueError, r"datasets\['train'\].*int"),
        (lambda: TorchTrainer(print, dataset_config=object()), ValueError, "Invalid `DataConfig` type"),
        (type("Mine", (DataConfig,), {"configure": print}), NotImplementedError, "configure"),
        (type("Mine", (TorchConfig,), {"backend_cls": object}), NotImplementedError, "hooks"),
        (lambda: TorchTrainer(print, validation_config=object()), NotImplementedError, "validation_config"),
        (lambda: TorchTrainer(print, preprocessor=None), TypeError, "preprocessor"),
        (lambda: TorchTrainer.restore("path"), DeprecationWarning, "continues"),
        (lambda: TorchTrainer.can_restore("path"), DeprecationWarning, "continues"),
    ],
)
def test_refused(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: ScalingConfig(trainer_resources={"CPU": 0}),
        lambda: CheckpointConfig(checkpoint_frequency=0),
        lambda: CheckpointConfig(checkpoint_at_end=False),
        lambda: FailureConfig(fail_fast=False),
        lambda: RunConfig(verbose=1),
        lambda: RunConfig(sync_config=object()),
        lambda: RunConfig(progress_reporter=object()),
        lambda: RunConfig(log_to_file=True),
        lambda: TorchTrainer(print, metadata={}),
        lambda: TorchTrainer(print, resume_from_checkpoint=Checkpoint("x")),
    ],
)
def test_older_arguments_warn_at_the_callers_line(make: Callable[[], Any]) -> None:
    with pytest.warns(DeprecationWarning, match="no longer part of Ray Train") as caught:
        make()
    assert caught[0].filename == __file__


def test_current_arguments_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RunConfig(checkpoint_config=CheckpointConfig(num_to_keep=1), failure_config=FailureConfig(max_failures=-1))


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        (ScalingConfig(), "trainer_resources num_workers use_gpu resources_per_worker placement_strategy"),
        (CheckpointConfig(), "num_to_keep checkpoint_score_attribute checkpoint_score_order checkpoint_frequency"),
        (FailureConfig(), "max_failures fail_fast"),
        (RunConfig(), "name storage_path storage_filesystem failure_config checkpoint_config callbacks"),
        (TorchConfig(), "backend init_method timeout_s"),
    ],
)
def test_fields_keep_rays_order_and_replace_works(config: Any, fields: str) -> None:
    names = [field.name for field in dataclasses.fields(config)]
    assert names[: len(fields.split())] == fields.split()
    assert dataclasses.replace(config) == config


def test_a_run_has_a_name_and_a_place_by_default() -> None:
    config = RunConfig()
    assert config.name.startswith("ray_train_run-")
    assert config.storage_path == "~/ray_results"


@pytest.mark.parametrize(
    ("function", "takes_config"),
    [
        (lambda: 0, False),
        (lambda config: 0, True),
        (lambda config=None: 0, False),
        (lambda *args: 0, True),
        (lambda **kwargs: 0, False),
        (lambda *, option=1: 0, False),
        (functools.partial(lambda a, config: 0, 1), True),
    ],
)
def test_the_config_is_passed_to_a_required_parameter(function: Callable[..., Any], takes_config: bool) -> None:
    assert _takes_config(function) is takes_config


def test_gpus_are_shared_out_by_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,7,9")
    placements = place_workers(
        ScalingConfig(num_workers=2, use_gpu=True, resources_per_worker={"GPU": 2, "CPU": 4}), {"MINE": "1"}
    )
    assert [placement.device_indices for placement in placements] == [(0, 1), (2, 3)]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (placement,) = place_workers(ScalingConfig(use_gpu=True, resources_per_worker={"CPU": 4}), {"MINE": "1"})
    expected = {"CUDA_VISIBLE_DEVICES": "3", "OMP_NUM_THREADS": "4", "MINE": "1", "RANK": "0", "WORLD_SIZE": "1"}
    assert expected.items() <= placement.environment.items()
    halves = place_workers(ScalingConfig(num_workers=3, use_gpu=True, resources_per_worker={"GPU": 0.5}), {})
    assert [placement.device_indices for placement in halves] == [(0,), (0,), (1,)]


def test_too_few_gpus_are_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(ValueError, match="need 2 GPUs; this machine offers 1"):
        place_workers(ScalingConfig(num_workers=2, use_gpu=True), {})


@pytest.mark.parametrize(
    ("bounds", "use_gpu", "count"),
    [((1, 9), False, 3), ((1, 2), False, 2), ((5, 9), False, 5), ((1, 9), True, 2), ((0, 1), True, 1)],
)
def test_a_range_gives_as_many_workers_as_fit(
    monkeypatch: pytest.MonkeyPatch, bounds: tuple[int, int], use_gpu: bool, count: int
) -> None:
    monkeypatch.setattr(_placement, "_cpus", lambda: 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    placements = place_workers(ScalingConfig(num_workers=bounds, use_gpu=use_gpu), {})
    assert [placement.environment["WORLD_SIZE"] for placement in placements] == [str(count)] * count


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("memory://bucket", ValueError, "in the memory of one process"),
        ("gs://bucket", ImportError, "gs://bucket/run cannot be reached: .*gcsfs"),
        ("nosuch://bucket", ValueError, "nosuch"),
    ],
)
def test_storage_that_cannot_be_reached_is_refused(path: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TorchTrainer(print, run_config=RunConfig(name="run", storage_path=path)).fit()


def test_a_function_that_cannot_be_pickled_is_refused() -> None:
    import threading

    lock = threading.Lock()
    with pytest.raises(TypeError, match="cannot be sent to the workers"):
        TorchTrainer(lambda: lock).fit()


@pytest.mark.parametrize(
    "options",
    [{"accelerator_type": "A100"}, {"label_selector": {"zone": "a"}}, {"resources_per_worker": {"fast_disk": 1}}],
)
def test_what_chooses_among_machines_is_warned_of(options: dict[str, Any]) -> None:
    with pytest.warns(UserWarning, match=f"{next(iter(options))}.*has no effect on one"):
        place_workers(ScalingConfig(**options), {})


def test_a_programs_environment_reaches_its_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_runtime_env._Program, "variables", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.warns(UserWarning, match="nothing is installed for .'pip'."):
        _runtime_env.use_for_program({"env_vars": {"A": "1"}, "working_dir": str(tmp_path), "pip": ["x"]})
    assert _runtime_env.program_variables() == {"A": "1"}
    for environment, message in (({"working_dir": str(tmp_path / "none")}, "none"), ({"container": {}}, "container")):
        with pytest.raises(ValueError, match=message):
            _runtime_env.use_for_program(environment)
    assert sys.path[-1] == str(tmp_path)
    with pytest.raises(TypeError, match="Dict"):
        _runtime_env.use_for_program({"env_vars": {"A": None}})
