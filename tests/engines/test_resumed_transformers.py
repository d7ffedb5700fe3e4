"""A migrated TransformersTrainer goes on from a checkpoint of either layout: files at its root, or in Ray's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine import BundledRuntime

from migrate_trainers import migrate_source

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real_ray  # it belongs to the long suite

LEGACY = """
import shutil
import torch
from ray.air import Checkpoint
from ray.air.config import ScalingConfig
from ray.train.huggingface import TransformersTrainer
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed


def init(train_dataset, eval_dataset=None, **config):
    set_seed(3)
    rows = [{"input_ids": torch.tensor([i % 7, i % 5]), "labels": torch.tensor(i % 2)} for i in range(16)]
    model = BertForSequenceClassification(
        BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    )
    args = TrainingArguments(
        "out", num_train_epochs=config["epochs"], per_device_train_batch_size=4, use_cpu=True, report_to="none",
        logging_strategy="steps", logging_steps=2, save_strategy="no",
    )
    return Trainer(model=model, args=args, train_dataset=rows)


def train(epochs, start=None):
    trainer = TransformersTrainer(
        init,
        trainer_init_config={"epochs": epochs},
        scaling_config=ScalingConfig(num_workers=2),
        resume_from_checkpoint=start,
    )
    return trainer.fit()


first = train(1)
with first.checkpoint.as_directory() as folder:
    shutil.copytree(folder, "root")
    shutil.copytree(folder, "nested/checkpoint")
for start in "root", "nested":
    print("reports:", len(train(3, Checkpoint.from_directory(start)).metrics_dataframe))
"""


def test_both_layouts_are_resumed(tmp_path: Path) -> None:
    script = tmp_path / "resumed.py"
    script.write_bytes(migrate_source(LEGACY.encode()).after)

    run = BundledRuntime().run(script).check()
    first, *resumed = run.fits

    assert first.metrics is not None
    assert first.metrics["step"] == 2
    for fit in resumed:
        assert fit.metrics is not None
        assert (fit.metrics["step"], fit.metrics["epoch"]) == (6, 3.0)
    # Of the steps 2, 4 and 6 that log, the first was in the run before.
    assert run.output.count("reports: 2\n") == len(resumed) == 2
