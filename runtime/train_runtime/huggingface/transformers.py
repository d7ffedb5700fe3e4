"""`ray.train.huggingface.transformers`: the report callback for `transformers.Trainer`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from transformers.trainer_callback import TrainerCallback
from transformers.trainer_utils import get_last_checkpoint

from train_runtime._removed import refuse
from train_runtime.checkpoint import Checkpoint
from train_runtime.context import report

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

__all__ = ["RayTrainReportCallback", "prepare_trainer"]

TrainerT = TypeVar("TrainerT")


class RayTrainReportCallback(TrainerCallback):  # type: ignore[misc]  # transformers is not followed by mypy
    """Reports whenever the trainer saves: everything logged so far, later values winning, and the saved files.

    The files lie in the checkpoint's `checkpoint/` directory, as on Ray. Metrics logged between two saves are
    reported with the next one, so evaluate at least as often as you save.
    """

    CHECKPOINT_NAME = "checkpoint"

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called by the trainer on every rank after a save."""
        metrics = {name: value for entry in state.log_history for name, value in entry.items()}
        saved = get_last_checkpoint(args.output_dir)
        if saved is None:
            report(metrics)
            return
        with tempfile.TemporaryDirectory(prefix="transformers_checkpoint_") as directory:
            shutil.copytree(saved, Path(directory, self.CHECKPOINT_NAME))
            report(metrics, checkpoint=Checkpoint.from_directory(directory))


def prepare_trainer(trainer: TrainerT) -> TrainerT:
    """Return the trainer as it is: on Ray this connects Ray Data datasets, which this runtime does not have."""
    return trainer


def __getattr__(name: str) -> NoReturn:
    refuse(__name__, name)
