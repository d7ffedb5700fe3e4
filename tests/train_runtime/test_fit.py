"""Train functions that succeed: what workers are given, and what comes back.

The functions are defined in the tests: cloudpickle sends such functions by value, so workers do not import the tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import train_runtime
from train_runtime import TorchTrainer, WorkerGroupError

if TYPE_CHECKING:
    from conftest import Fit


def test_workers_know_their_place(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def train() -> list[dict[str, Any]]:
        import torch
        import torch.distributed as dist

        context = train_runtime.get_context()
        seen = {
            "environment": dict(os.environ),
            "context": (
                context.get_world_rank(),
                context.get_local_rank(),
                context.get_world_size(),
                context.get_local_world_size(),
                context.get_node_rank(),
                context.get_experiment_name(),
            ),
            "directory": os.getcwd(),
            "backend": dist.get_backend(),
            "threads": torch.get_num_threads(),
            "device": str(train_runtime.torch.get_device()),
            "argv": sys.argv,
        }
        gathered: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(gathered, seen)
        return gathered

    first, second = fit(train, worker_runtime_env={"env_vars": {"MINE": "yes"}}).return_value
    for rank, seen in enumerate((first, second)):
        expected = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "LOCAL_WORLD_SIZE": "2",
            "NODE_RANK": "0",
            "MASTER_ADDR": "127.0.0.1",
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
            "ACCELERATE_TORCH_DEVICE": "cpu",
            "MINE": "yes",
        }
        assert expected.items() <= seen["environment"].items()
        assert seen["context"] == (rank, rank, 2, 2, 0, "run")
        assert (seen["backend"], seen["threads"], seen["device"]) == ("gloo", 1, "cpu")
        assert seen["argv"] == sys.argv
    assert first["environment"]["MASTER_PORT"] == second["environment"]["MASTER_PORT"]
    assert first["directory"] == second["directory"] != os.getcwd()
    assert not Path(first["directory"]).exists(), "nothing was written there"


def test_data_parallel_training_gives_equal_parameters(fit: Fit) -> None:
    def train(config: dict[str, float]) -> dict[str, Any]:
        import torch
        import torch.distributed as dist
        from torch.utils.data import DataLoader, TensorDataset

        rank = train_runtime.get_context().get_world_rank()
        torch.manual_seed(rank)
        model = train_runtime.torch.prepare_model(torch.nn.Linear(1, 1))
        loader = DataLoader(TensorDataset(torch.arange(8.0).unsqueeze(1)), batch_size=2, shuffle=True)
        loader = train_runtime.torch.prepare_data_loader(loader)
        optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
        rows = []
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            for (batch,) in loader:
                rows += batch.flatten().tolist()
                optimizer.zero_grad()
                model(batch).pow(2).mean().backward()
                optimizer.step()
        seen = {"rows": rows, "parameters": [p.tolist() for p in model.parameters()], "batches": len(loader)}
        gathered: list[Any] = [None, None]
        dist.all_gather_object(gathered, seen)
        return gathered

    first, second = fit(train, config={"lr": 0.01}).return_value
    assert first["parameters"] == second["parameters"]
    assert sorted(first["rows"] + second["rows"]) == sorted([*range(8)] * 2)
    assert first["batches"] == 2
    assert first["rows"][:4] != first["rows"][4:], "set_epoch shuffles anew"


def test_a_lambda_over_a_local_variable_needs_no_import(tmp_path: Path) -> None:
    offset = 40
    run_config = train_runtime.RunConfig(storage_path=tmp_path)
    trainer = TorchTrainer(lambda config: config["x"] + offset, train_loop_config={"x": 2}, run_config=run_config)
    result = trainer.fit()
    assert result.return_value == 42
    assert (result.metrics, result.checkpoint, result.metrics_dataframe) == (None, None, None)
    assert result.best_checkpoints == []
    assert Path(result.path).parent == tmp_path


def test_output_has_its_rank_in_front(fit: Fit, capfd: pytest.CaptureFixture[str]) -> None:
    def train() -> None:
        print("to stdout\n\nincomplete", end="")
        print("to stderr", file=sys.stderr)
        Path("output.txt").write_text("kept")

    fit(train, workers=1)
    out, err = capfd.readouterr()
    assert out == "(rank 0) to stdout\n(rank 0) \n(rank 0) incomplete\n"
    assert "(rank 0) to stderr\n" in err
    (directory,) = [line.split(" are in ")[1] for line in err.splitlines() if "relative paths" in line]
    assert Path(directory, "output.txt").read_text() == "kept"


def test_a_return_value_must_be_picklable(fit: Fit) -> None:
    def train() -> object:
        import threading

        return threading.Lock()

    with pytest.raises(WorkerGroupError, match=r"return value.*lock.*cannot be pickled"):
        fit(train, workers=1)


@pytest.mark.parametrize("name", ["report", "get_checkpoint", "get_context", "get_dataset_shard"])
def test_outside_a_worker_the_functions_raise(name: str) -> None:
    arguments = [{}] if name == "report" else []
    with pytest.raises(RuntimeError, match=f"`{name}` cannot be used outside of a train function"):
        getattr(train_runtime, name)(*arguments)


def test_importing_the_package_is_light() -> None:
    heavy = "{'torch', 'pandas', 'numpy', 'pyarrow', 'transformers', 'lightning', 'fsspec'}"
    code = f"import sys, train_runtime.lightning, train_runtime.huggingface; print({heavy} & set(sys.modules))"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout == "set()\n"
