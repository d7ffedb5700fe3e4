"""Trains a tiny BERT, with random weights at the start, with Transformers' Trainer and Ray's callback."""

import json
import os

import torch
from ray.train import RunConfig, ScalingConfig
from ray.train.huggingface.transformers import RayTrainReportCallback, prepare_trainer
from ray.train.torch import TorchTrainer
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments


class Sentences(Dataset):
    def __init__(self, seed):
        generator = torch.Generator().manual_seed(seed)
        self.words = torch.randint(0, 100, (256, 16), generator=generator)

    def __len__(self):
        return len(self.words)

    def __getitem__(self, index):
        words = self.words[index]
        return {"input_ids": words, "labels": (words.sum() > 800).long()}


def train():
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    trainer = Trainer(
        model=BertForSequenceClassification(config),
        args=TrainingArguments(
            output_dir="output",
            num_train_epochs=3,
            per_device_train_batch_size=16,
            logging_strategy="epoch",
            eval_strategy="epoch",
            save_strategy="epoch",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
            average_tokens_across_devices=False,
        ),
        train_dataset=Sentences(0),
        eval_dataset=Sentences(1),
    )
    trainer.add_callback(RayTrainReportCallback())
    prepare_trainer(trainer).train()


result = TorchTrainer(
    train,
    scaling_config=ScalingConfig(num_workers=2),
    run_config=RunConfig(storage_path=os.path.abspath("results")),
).fit()
print("RESULT " + json.dumps({name: result.metrics[name] for name in ("eval_loss", "loss", "epoch")}))
