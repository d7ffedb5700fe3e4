"""`ray.train.lightning`: strategies, environment and report callback for PyTorch Lightning.

They work with both of Lightning's packages, `lightning.pytorch` and `pytorch_lightning`: each object takes the package
that the script uses, when it is made.
"""

from __future__ import annotations

from typing import NoReturn

from train_runtime._removed import refuse
from train_runtime.lightning._classes import (
    RayDDPStrategy,
    RayDeepSpeedStrategy,
    RayFSDPStrategy,
    RayLightningEnvironment,
    RayTrainReportCallback,
)
from train_runtime.lightning._trainer import get_devices, prepare_trainer

__all__ = [
    "RayDDPStrategy",
    "RayDeepSpeedStrategy",
    "RayFSDPStrategy",
    "RayLightningEnvironment",
    "RayTrainReportCallback",
    "get_devices",
    "prepare_trainer",
]


def __getattr__(name: str) -> NoReturn:
    refuse(__name__, name)
