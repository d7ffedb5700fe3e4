"""What train functions use around torch, without workers where none are needed."""

from __future__ import annotations

import collections
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

import train_runtime
from train_runtime import Checkpoint, Result, RunConfig, TorchTrainer, TrainContext
from train_runtime._local_folder import LocalFolder
from train_runtime._messages import WorkerSpec
from train_runtime.torch import TorchCheckpoint

if TYPE_CHECKING:
    from conftest import Fit


def test_refusals_and_reproducibility(fit: Fit) -> None:
    def train() -> dict[str, Any]:
        import torch

        refusals = []
        for strategy in ("fsdp", "horovod"):
            try:
                train_runtime.torch.prepare_model(torch.nn.Linear(1, 1), parallel_strategy=strategy)
            except (RuntimeError, ValueError) as error:
                refusals.append(f"{type(error).__name__}: {error}")
        unwrapped = train_runtime.torch.prepare_model(torch.nn.Linear(1, 1), parallel_strategy=None)
        draws = []
        for _ in range(2):
            train_runtime.torch.enable_reproducibility(seed=5)
            draws.append(torch.rand(1).item())
        return {
            "refusals": refusals,
            "unwrapped": type(unwrapped).__name__,
            "draws": draws,
            "deterministic": torch.are_deterministic_algorithms_enabled(),
        }

    seen = fit(train).return_value
    assert seen["refusals"][0].startswith("RuntimeError: prepare_model(parallel_strategy=")
    assert "needs GPUs" in seen["refusals"][0]
    assert seen["refusals"][1].startswith("ValueError")
    assert seen["unwrapped"] == "Linear"
    assert seen["draws"][0] == seen["draws"][1]
    assert seen["deterministic"]


def test_batches_are_moved_whatever_their_shape() -> None:
    torch = pytest.importorskip("torch")
    from train_runtime.torch._device_loader import DeviceLoader

    Pair = collections.namedtuple("Pair", "a b")
    rows = [{"pair": Pair(torch.ones(1), "text"), "list": [torch.zeros(1)]} for _ in range(4)]
    loader = torch.utils.data.DataLoader(rows, batch_size=None)
    moved = DeviceLoader(loader, torch.device("meta"), auto_transfer=True)
    assert isinstance(moved, torch.utils.data.DataLoader)
    assert (len(moved), moved.dataset) == (4, rows)
    assert moved.sampler is loader.sampler
    for _ in range(2):
        batches = list(moved)
        assert len(batches) == 4
        tensor, text = batches[0]["pair"]
        assert (tensor.device.type, text, batches[0]["list"][0].device.type) == ("meta", "text", "meta")
        assert type(batches[0]["pair"]) is tuple


def test_the_trial_methods_of_ray_2_7_answer_for_the_run() -> None:
    worker = WorkerSpec(
        rank=1,
        world_size=2,
        device_indices=(),
        experiment_name="run",
        folder=LocalFolder("/results/run"),
        metadata={"a": 1},
    )
    context = TrainContext(worker)
    for method, answer in {
        "get_trial_name": "run",
        "get_trial_id": "run",
        "get_trial_dir": "/results/run",
        "get_metadata": {"a": 1},
    }.items():
        with pytest.warns(DeprecationWarning, match=method):
            assert getattr(context, method)() == answer
    with pytest.raises(DeprecationWarning, match="get_trial_resources"):
        context.get_trial_resources()
    storage = context.get_storage()
    assert (storage.storage_fs_path, storage.experiment_dir_name) == ("/results", "run")


def test_a_run_starts_from_the_checkpoint_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "step").write_text("7")
    with pytest.warns(DeprecationWarning, match="resume_from_checkpoint"):
        trainer = TorchTrainer(
            lambda: Path(train_runtime.get_checkpoint().path, "step").read_text(),
            run_config=RunConfig(storage_path=tmp_path / "results"),
            resume_from_checkpoint=Checkpoint(tmp_path / "before"),
        )
    assert trainer.fit().return_value == "7"


def test_the_best_checkpoint_by_a_metric() -> None:
    checkpoints = [Checkpoint("a"), Checkpoint("b"), Checkpoint("c")]
    metrics = [{"x": 1.0}, {"x": 3.0, "y": float("nan")}, {}]
    best = list(zip(checkpoints, metrics, strict=True))
    result = Result(metrics=None, checkpoint=None, error=None, path="", best_checkpoints=best)
    assert result.get_best_checkpoint("x", "max") is checkpoints[1]
    assert result.get_best_checkpoint("x", "min") is checkpoints[0]
    with pytest.raises(RuntimeError, match="'y'"):
        result.get_best_checkpoint("y", "max")
    with pytest.raises(ValueError, match="mode"):
        result.get_best_checkpoint("x", "best")
    with pytest.raises(DeprecationWarning):
        _ = result.config


@pytest.mark.parametrize(
    ("name", "arguments"), [("accelerate", ()), ("prepare_optimizer", (None,)), ("backward", (None,))]
)
def test_the_helpers_of_ray_2_7_for_mixed_precision_say_what_to_do(name: str, arguments: tuple[None, ...]) -> None:
    with pytest.raises(DeprecationWarning, match=f"`ray.train.torch.{name}` is no longer part"):
        getattr(train_runtime.torch, name)(*arguments)


def test_a_torch_checkpoint_holds_a_state_or_a_model() -> None:
    model = torch.nn.Linear(1, 1)
    with pytest.warns(DeprecationWarning, match="TorchCheckpoint") as caught:
        state = TorchCheckpoint.from_state_dict({f"module.{name}": value for name, value in model.state_dict().items()})
    assert caught[0].filename == __file__
    with pytest.raises(ValueError, match=r"get_model\(model\)"):
        state.get_model()
    assert torch.equal(state.get_model(torch.nn.Linear(1, 1)).weight, model.weight)
    with pytest.warns(DeprecationWarning, match="TorchCheckpoint"):
        whole = TorchCheckpoint.from_model(model)
    assert isinstance(whole, TorchCheckpoint)
    assert torch.equal(whole.get_model().weight, model.weight)
    os.remove(os.path.join(whole.path, TorchCheckpoint.MODEL_FILENAME))
    with pytest.raises(RuntimeError, match="holds no model"):
        whole.get_model()
