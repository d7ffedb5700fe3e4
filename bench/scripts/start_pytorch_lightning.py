"""A train function that does nothing, in a script that imports the other Lightning package."""

import pytorch_lightning as pl
import torch
from ray.train import ScalingConfig
from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment, RayTrainReportCallback, prepare_trainer
from ray.train.torch import TorchTrainer


def train():
    assert torch.distributed.is_initialized()
    return [
        part.__name__
        for part in (pl.Trainer, prepare_trainer, RayDDPStrategy, RayLightningEnvironment, RayTrainReportCallback)
    ]


TorchTrainer(train, scaling_config=ScalingConfig(num_workers=2)).fit()
