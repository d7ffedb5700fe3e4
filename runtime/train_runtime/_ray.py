"""The module that `python -m train_runtime` serves as `ray`: what a training script's driver part touches of it."""

from __future__ import annotations

import importlib
from typing import Any

from train_runtime import _runtime_env

__all__ = ["init", "is_initialized", "shutdown"]

# The version whose Train API is mirrored; scripts compare it.
__version__ = "2.60.0"

_state = {"initialized": False}


def init(address: str | None = None, *, runtime_env: dict[str, Any] | None = None, **kwargs: Any) -> None:
    """Nothing to start: workers are processes of this machine, made by `fit()`. They get `runtime_env`'s variables."""
    _runtime_env.use_for_program(runtime_env or {})
    _state["initialized"] = True


def shutdown(*args: Any, **kwargs: Any) -> None:
    """Nothing to stop: `fit()` leaves no process behind."""
    _runtime_env.use_for_program({})
    _state["initialized"] = False


def is_initialized() -> bool:
    """Whether `init` was called, and not `shutdown` since."""
    return _state["initialized"]


def __getattr__(name: str) -> Any:
    if name in ("data", "train"):
        return importlib.import_module(f"ray.{name}")
    from train_runtime._removed import advice

    raise AttributeError(f"module 'ray' has no attribute {name!r}: {advice('ray.' + name)}", name=name)
