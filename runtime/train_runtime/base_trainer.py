"""`ray.train.base_trainer`: the place where Ray 2.7 kept `TrainingFailedError`."""

from __future__ import annotations

from train_runtime.errors import TrainingFailedError

__all__ = ["TrainingFailedError"]
