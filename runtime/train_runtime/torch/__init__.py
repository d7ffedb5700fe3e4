"""`ray.train.torch`: the trainer, and what a train function needs around torch. Importing it does not import torch."""

from __future__ import annotations

from typing import NoReturn

from train_runtime._removed import refuse
from train_runtime.torch._train_loop import (
    accelerate,
    backward,
    enable_reproducibility,
    get_device,
    get_devices,
    prepare_data_loader,
    prepare_model,
    prepare_optimizer,
)
from train_runtime.torch.checkpoint import TorchCheckpoint
from train_runtime.torch.config import TorchConfig
from train_runtime.torch.trainer import TorchTrainer

__all__ = [
    "TorchCheckpoint",
    "TorchConfig",
    "TorchTrainer",
    "accelerate",
    "backward",
    "enable_reproducibility",
    "get_device",
    "get_devices",
    "prepare_data_loader",
    "prepare_model",
    "prepare_optimizer",
]


def __getattr__(name: str) -> NoReturn:
    refuse(__name__, name)
