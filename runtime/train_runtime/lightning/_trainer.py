"""The functions of `ray.train.lightning` around Lightning's `Trainer`."""

from __future__ import annotations

from typing import Literal, TypeVar

from train_runtime.lightning._classes import (
    RayDDPStrategy,
    RayDeepSpeedStrategy,
    RayFSDPStrategy,
    RayLightningEnvironment,
)

TrainerT = TypeVar("TrainerT")

_STRATEGIES = (RayDDPStrategy, RayFSDPStrategy, RayDeepSpeedStrategy)


def prepare_trainer(trainer: TrainerT) -> TrainerT:
    """Check that a Lightning `Trainer` is set up for this runtime's workers, and return it.

    Raises:
        RuntimeError: if its strategy is none of the three here, or its cluster environment is not
            `RayLightningEnvironment`.
    """
    strategy = getattr(trainer, "strategy", None)
    if not isinstance(strategy, _STRATEGIES):
        raise RuntimeError(
            f"Invalid strategy class: {type(strategy)}. Pass strategy= one of "
            f"{', '.join(cls.__name__ for cls in _STRATEGIES)} to the Trainer."
        )
    environment = getattr(strategy, "cluster_environment", None)
    if environment and not isinstance(environment, RayLightningEnvironment):
        raise RuntimeError(
            f"Invalid cluster environment plugin: {type(environment)}. "
            "Pass plugins=[RayLightningEnvironment()] to the Trainer."
        )
    return trainer


def get_devices() -> Literal["auto"]:
    """The value for `Trainer(devices=...)`; no Ray release has this function, but early migration guides wrote it."""
    return "auto"
