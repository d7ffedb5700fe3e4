"""`ray.train.huggingface`: what is in `train_runtime.huggingface.transformers`, as some of Ray's guides import it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train_runtime.huggingface.transformers import RayTrainReportCallback, prepare_trainer

__all__ = ["RayTrainReportCallback", "prepare_trainer"]


def __getattr__(name: str) -> Any:
    """Import transformers only for the names that need it."""
    if name in __all__:
        from train_runtime.huggingface import transformers

        return getattr(transformers, name)
    from train_runtime._removed import refuse

    return refuse(__name__, name)
