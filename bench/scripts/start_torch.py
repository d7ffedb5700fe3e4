"""A train function that does nothing."""

import torch
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer


def train():
    assert torch.distributed.is_initialized()


TorchTrainer(train, scaling_config=ScalingConfig(num_workers=2)).fit()
