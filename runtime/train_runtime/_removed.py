"""The trainers that Ray Train removed in 2.9, for import errors that say how to go on."""

from __future__ import annotations

import sys
from typing import NoReturn

_REMOVED = {
    "AccelerateTrainer",
    "HuggingFaceCheckpoint",
    "HuggingFacePredictor",
    "HuggingFaceTrainer",
    "LightningCheckpoint",
    "LightningConfigBuilder",
    "LightningPredictor",
    "LightningTrainer",
    "TransformersCheckpoint",
    "TransformersPredictor",
    "TransformersTrainer",
}


def refuse(module: str, name: str) -> NoReturn:
    """Raise for a name that `module` does not have.

    Raises:
        ImportError: for what Ray removed; an AttributeError's message would be lost in `from ... import ...`.
        AttributeError: for any other name.
    """
    if name in _REMOVED:
        script = getattr(sys.modules["__main__"], "__file__", None) or "FILE"
        raise ImportError(
            f"{name} was removed in Ray 2.9. Rewrite the program for TorchTrainer with: migrate-trainers {script}",
            name=module,
        )
    raise AttributeError(f"module {module!r} has no attribute {name!r}")
