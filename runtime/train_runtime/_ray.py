"""The module that `python -m train_runtime` serves as `ray`: what a training script's driver part touches of it."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["init", "is_initialized", "shutdown"]

# The version whose Train API is mirrored; scripts compare it.
__version__ = "2.60.0"

_state = {"initialized": False}


def init(*args: Any, **kwargs: Any) -> None:
    """Nothing to start: workers are processes of this machine, made by `fit()`."""
    _state["initialized"] = True


def shutdown(*args: Any, **kwargs: Any) -> None:
    """Nothing to stop: `fit()` leaves no process behind."""
    _state["initialized"] = False


def is_initialized() -> bool:
    """Whether `init` was called, and not `shutdown` since."""
    return _state["initialized"]


def __getattr__(name: str) -> Any:
    if name in ("data", "train"):
        return importlib.import_module(f"ray.{name}")
    from train_runtime._ray_alias import advice

    raise AttributeError(f"module 'ray' has no attribute {name!r}: {advice('ray.' + name)}", name=name)
