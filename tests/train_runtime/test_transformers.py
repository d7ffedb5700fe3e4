"""`train_runtime.huggingface.transformers`, with a tiny model made from its configuration."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import train_runtime.huggingface
from train_runtime.huggingface import transformers as integration

if TYPE_CHECKING:
    from conftest import Fit


def test_saves_are_reported_with_everything_logged(fit: Fit) -> None:
    def train() -> dict[str, Any]:
        import torch
        from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

        from train_runtime.huggingface.transformers import RayTrainReportCallback, prepare_trainer

        config = BertConfig(
            vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
        )
        rows = [{"input_ids": torch.tensor([n, n + 1]), "labels": torch.tensor(n % 2)} for n in range(8)]
        arguments = TrainingArguments(
            output_dir="out",
            num_train_epochs=2,
            per_device_train_batch_size=2,
            eval_strategy="epoch",
            save_strategy="epoch",
            logging_strategy="epoch",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        )
        model = BertForSequenceClassification(config)
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, eval_dataset=rows)
        trainer.add_callback(RayTrainReportCallback())
        trainer = prepare_trainer(trainer)
        trainer.train()
        return {"world_size": arguments.world_size, "steps": trainer.state.global_step}

    result = fit(train)
    assert result.return_value == {"world_size": 2, "steps": 4}
    assert {"loss", "eval_loss", "epoch"} <= set(result.metrics)
    assert list(result.metrics_dataframe["epoch"]) == [1.0, 2.0]
    with result.checkpoint.as_directory() as directory:
        assert os.listdir(directory) == [integration.RayTrainReportCallback.CHECKPOINT_NAME]
        assert Path(directory, "checkpoint", "model.safetensors").exists()


def test_no_rank_copies_what_another_is_still_saving(fit: Fit) -> None:
    """Rank 0 ends its save only when rank 1 is waiting for it, or has copied already."""

    def train() -> list[str]:
        from types import SimpleNamespace

        from torch import distributed

        import train_runtime

        rank = distributed.get_rank()
        events = distributed.FileStore(os.path.abspath("events"), 2)
        saved = Path("out", "checkpoint-1")
        copied: list[str] = []

        def copy(source: str, target: Path) -> None:
            copied.extend(sorted(os.listdir(source)))
            shutil.copytree(source, target)
            events.set("rank 1 is there", "")

        def wait(barrier: Any = distributed.barrier) -> None:
            events.set("rank 1 is there", "")
            barrier()

        if rank == 0:
            saved.mkdir(parents=True)
            Path(saved, "begun").touch()
            events.set("begun", "")
            events.wait(["rank 1 is there"])
            Path(saved, "complete").touch()
        else:
            events.wait(["begun"])
            integration.shutil = SimpleNamespace(copytree=copy)  # type: ignore[assignment]
            distributed.barrier = wait
        integration.RayTrainReportCallback().on_save(
            SimpleNamespace(output_dir="out"),
            SimpleNamespace(log_history=[{"loss": 1.0}, {"loss": 0.5}]),
            SimpleNamespace(),
        )
        everybodys: list[Any] = [None, None]
        distributed.all_gather_object(everybodys, copied)
        assert train_runtime.get_checkpoint() is not None
        return everybodys[1]

    result = fit(train)
    assert result.return_value == ["begun", "complete"]
    assert result.metrics == {"loss": 0.5}


def test_batches_of_a_dataset_are_taken_as_they_are(tmp_path: Path) -> None:
    class Recorder(torch.nn.Module):
        """Takes the mean of what it gets, and notes it."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))
            self.seen: list[list[float]] = []

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            self.seen.append(x.tolist())
            return {"loss": (self.weight * x).mean()}

    def train() -> Any:
        from transformers import Trainer, TrainingArguments

        arguments = TrainingArguments(
            output_dir="out",
            max_steps=4,
            eval_strategy="steps",
            eval_steps=4,
            prediction_loss_only=True,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        )
        shard = train_runtime.get_dataset_shard("train")
        model = Recorder()
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=shard.iter_torch_batches(batch_size=2),
            eval_dataset={"all": shard.iter_torch_batches(batch_size=3)},
        )
        integration.prepare_trainer(trainer).train()
        return model.seen

    rows = [{"x": float(number)} for number in range(6)]
    run_config = train_runtime.RunConfig(storage_path=tmp_path)
    trainer = train_runtime.TorchTrainer(train, datasets={"train": rows}, run_config=run_config)
    assert trainer.fit().return_value == [[0, 1], [2, 3], [4, 5], [0, 1], [0, 1, 2], [3, 4, 5]]


def test_both_import_paths_give_the_same_objects() -> None:
    assert train_runtime.huggingface.RayTrainReportCallback is integration.RayTrainReportCallback
    assert train_runtime.huggingface.prepare_trainer is integration.prepare_trainer
