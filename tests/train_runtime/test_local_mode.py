"""`ScalingConfig(num_workers=0)`: the train function runs here."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
import torch

import train_runtime
from train_runtime import Checkpoint, RunConfig, ScalingConfig, TorchTrainer
from train_runtime.collective import barrier, broadcast_from_rank_zero
from train_runtime.torch import get_device, prepare_model

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = ScalingConfig(num_workers=0)


def test_the_function_runs_in_this_process(tmp_path: Path) -> None:
    lock = threading.Lock()  # nothing is pickled

    def train(config: dict[str, Any]) -> object:
        assert train_runtime.get_checkpoint() is None
        context = train_runtime.get_context()
        assert (context.get_world_size(), context.get_world_rank(), context.get_local_rank()) == (1, 0, 0)
        assert context.get_experiment_name() == "run"
        model = torch.nn.Linear(1, 1)
        assert prepare_model(model) is model
        assert get_device() == torch.device("cpu") or torch.cuda.is_available()
        barrier()
        rows = [row["item"] for row in train_runtime.get_dataset_shard("train").iter_rows()]
        train_runtime.report({"loss": 1})
        train_runtime.report({"loss": broadcast_from_rank_zero(0.5)}, checkpoint=config["checkpoint"])
        assert train_runtime.get_checkpoint() is config["checkpoint"]
        return os.getpid(), lock, rows

    checkpoint = Checkpoint(str(tmp_path))
    run = RunConfig(name="run", storage_path=tmp_path / "results")
    result = TorchTrainer(
        train,
        train_loop_config={"checkpoint": checkpoint},
        scaling_config=LOCAL,
        run_config=run,
        datasets={"train": [1, 2]},
    ).fit()
    assert result.return_value == (os.getpid(), lock, [1, 2])
    assert result.metrics == {"loss": 0.5}
    assert result.checkpoint is checkpoint
    assert result.path is None
    assert not (tmp_path / "results").exists()
    with pytest.raises(RuntimeError, match="outside of a train function"):
        train_runtime.get_context()


def test_an_exception_is_raised_as_it_is() -> None:
    def train() -> None:
        with pytest.raises(AssertionError, match="Dataset shard train not found"):
            train_runtime.get_dataset_shard("train")
        raise KeyError("of the train function")

    with pytest.raises(KeyError, match="of the train function"):
        TorchTrainer(train, scaling_config=LOCAL).fit()
    with pytest.raises(RuntimeError, match="outside of a train function"):
        train_runtime.get_context()


def test_torchrun_starts_the_ranks(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("""
import torch.distributed as dist, train_runtime
def train():
    ranks = [None, None]
    dist.all_gather_object(ranks, train_runtime.get_context().get_world_rank())
    train_runtime.report({"ranks": ranks, "size": train_runtime.get_context().get_world_size()})
result = train_runtime.TorchTrainer(train, scaling_config=train_runtime.ScalingConfig(num_workers=0)).fit()
print(result.metrics, flush=True)
""")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.count("{'ranks': [0, 1], 'size': 2}") == 2, done.stderr
