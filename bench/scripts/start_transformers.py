"""A train function that does nothing, in a script that imports Transformers."""

import torch
from ray.train import ScalingConfig
from ray.train.huggingface.transformers import RayTrainReportCallback, prepare_trainer
from ray.train.torch import TorchTrainer
from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments


def train():
    assert torch.distributed.is_initialized()
    return [
        part.__name__
        for part in (
            AutoModelForSequenceClassification,
            Trainer,
            TrainingArguments,
            RayTrainReportCallback,
            prepare_trainer,
        )
    ]


TorchTrainer(train, scaling_config=ScalingConfig(num_workers=2)).fit()
