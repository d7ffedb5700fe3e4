"""Names of Ray Train's that are not here, for import errors that say how to go on."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

_PACKAGE = str(Path(__file__).parent)
_REWRITE = "was removed in Ray 2.9. Rewrite the program for TorchTrainer with: migrate-trainers {script}"
_MOVED = "is not here, as its names are in `ray.train` now. Rewrite the program with: migrate-trainers {script}"
_NEVER_WAS = (
    "is in no release of Ray: import from `ray.train.huggingface.transformers`, and rewrite programs with legacy "
    "trainers with: migrate-trainers {script}"
)
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
            "LegacyLightningCheckpoint",
            "LegacyTransformersCheckpoint",
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

# What the names of Ray's modules start with that held what Ray 2.9 removed, and of others that old programs import.
_MODULES = {
    **dict.fromkeys(
        (
            "ray.train.batch_predictor.",
            "ray.train.huggingface._huggingface_utils.",
            "ray.train.huggingface.accelerate.",
            "ray.train.huggingface.huggingface_",
            "ray.train.huggingface.transformers.",
            "ray.train.lightning.",
            "ray.train.predictor.",
        ),
        _REWRITE,
    ),
    "ray.air.": _MOVED,
    **dict.fromkeys(("ray.train.accelerate.", "ray.train.hf_"), _NEVER_WAS),
}

# Ray's packages by the extra that installs them.
_EXTRAS = {"tune": "tune", "data": "data", "serve": "serve", "rllib": "rllib", "train": "train"}


def refuse(module: str, name: str) -> NoReturn:
    """Raise for a name that `module` does not have.

    Raises:
        ImportError: for what Ray has or had; an AttributeError's message would be lost in `from ... import ...`.
        AttributeError: for any other name.
    """
    if name in _ADVICE:
        raise ImportError(f"{name} {_ADVICE[name].format(script=_importing_file(_files_at_work()))}", name=module)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def advice(name: str, files: Iterable[str] | None = None) -> str:
    """What to do about a name of Ray (`ray.tune`, `ray.train.xgboost`) that is not served.

    `files` are those of the calls that led to its import, the last one first; by default those of the calls at work.
    """
    if (removed := _advice_on_module(name, files)) is not None:
        return removed
    package = name.split(".")[1]
    requirement = f"ray[{_EXTRAS.get(package, 'default')}]"
    return (
        "`python -m train_runtime` serves what training scripts use of ray.train and ray.data. "
        f"To use `{name}`, install Ray with `pip install '{requirement}'` and run the script with plain `python`."
    )


def _advice_on_module(name: str, files: Iterable[str] | None) -> str | None:
    """What to do about a module of Ray's, if it is one of those that were removed with the legacy trainers."""
    text = next((text for start, text in _MODULES.items() if f"{name}.".startswith(start)), None)
    if text is None:
        return None
    return f"{name} {text.format(script=_importing_file(_files_at_work() if files is None else files))}"


def _importing_file(files: Iterable[str]) -> str:
    """The file whose import fails, as a shell takes it: the script's, or that of a module which it imports."""
    file = next((file for file in files if not file.startswith((_PACKAGE, "<frozen importlib"))), "")
    if not os.path.isfile(file):
        return "FILE"
    relative = os.path.relpath(file)
    return shlex.quote(relative if not relative.startswith(os.pardir) else file)


def _files_at_work() -> Iterator[str]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back
