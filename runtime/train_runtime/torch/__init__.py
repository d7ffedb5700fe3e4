"""`ray.train.torch`: the trainer, and what a train function needs around torch. Importing it does not import torch."""

from __future__ import annotations

from train_runtime.torch._train_loop import (
    enable_reproducibility,
    get_device,
    get_devices,
    prepare_data_loader,
    prepare_model,
)
from train_runtime.torch.config import TorchConfig
from train_runtime.torch.trainer import TorchTrainer

__all__ = [
    "TorchConfig",
    "TorchTrainer",
    "enable_reproducibility",
    "get_device",
    "get_devices",
    "prepare_data_loader",
    "prepare_model",
]
