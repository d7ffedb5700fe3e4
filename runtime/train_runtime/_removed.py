"""Names of Ray Train's that are not here, for import errors that say how to go on."""

from __future__ import annotations

import sys
from typing import NoReturn

_REWRITE = "was removed in Ray 2.9. Rewrite the program for TorchTrainer with: migrate-trainers {script}"
_VALIDATE = (
    "is not here: this runtime does not validate checkpoints beside the training. Validate them in the train function "
    "before you report them, or run the script on Ray: pip install 'ray[train]'"
)
_ADVICE = {
    **dict.fromkeys(
        (
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
        ),
        _REWRITE,
    ),
    **dict.fromkeys(("ValidationConfig", "ValidationFn", "ValidationTaskConfig"), _VALIDATE),
    **dict.fromkeys(
        ("TorchPredictor", "TorchDetectionPredictor"),
        "was removed from Ray Train. Load the model from the checkpoint's files and call it, on data of any size with "
        "`Dataset.map_batches`",
    ),
    "LegacyTorchCheckpoint": "was removed in Ray 2.8. Use `ray.train.Checkpoint` with `torch.save` and `torch.load`",
    "TrainingIterator": "was internal to Ray Train and is gone. Call `TorchTrainer(...).fit()`",
}


def refuse(module: str, name: str) -> NoReturn:
    """Raise for a name that `module` does not have.

    Raises:
        ImportError: for what Ray has or had; an AttributeError's message would be lost in `from ... import ...`.
        AttributeError: for any other name.
    """
    if name in _ADVICE:
        script = getattr(sys.modules["__main__"], "__file__", None) or "FILE"
        raise ImportError(f"{name} {_ADVICE[name].format(script=script)}", name=module)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")
