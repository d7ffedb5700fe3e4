"""`ray.train.huggingface.transformers`: the report callback and the datasets of `transformers.Trainer`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from torch import distributed
from torch.utils.data import DataLoader, IterableDataset
from transformers.trainer_callback import TrainerCallback
from transformers.trainer_utils import get_last_checkpoint

from train_runtime._removed import refuse
from train_runtime.checkpoint import Checkpoint
from train_runtime.context import report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from transformers import TrainerControl, TrainerState, TrainingArguments

__all__ = ["RayTrainReportCallback", "prepare_trainer"]

TrainerT = TypeVar("TrainerT")


class RayTrainReportCallback(TrainerCallback):  # type: ignore[misc]  # transformers is not followed by mypy
    """Reports whenever the trainer saves: everything logged so far, later values winning, and the saved files.

    The files lie in the checkpoint's `checkpoint/` directory, as on Ray. Metrics logged between two saves are
    reported with the next one, so evaluate at least as often as you save. All ranks wait for each other before they
    copy: on Ray one can find the files that another is still writing.
    """

    CHECKPOINT_NAME = "checkpoint"

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called by the trainer on every rank after a save."""
        metrics = {name: value for entry in state.log_history for name, value in entry.items()}
        _wait_for_all_ranks()
        saved = get_last_checkpoint(args.output_dir)
        if saved is None:
            report(metrics)
            return
        with tempfile.TemporaryDirectory(prefix="transformers_checkpoint_") as directory:
            shutil.copytree(saved, Path(directory, self.CHECKPOINT_NAME))
            report(metrics, checkpoint=Checkpoint.from_directory(directory))


def _wait_for_all_ranks() -> None:
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()


def prepare_trainer(trainer: TrainerT) -> TrainerT:
    """Have the trainer take what `iter_torch_batches` returned as `train_dataset` or `eval_dataset`, batch by batch.

    The trainer's own collation and batch sizes don't apply to it, as on Ray.
    """
    base: Any = trainer.__class__

    class RayTransformersTrainer(base):  # type: ignore[misc]  # the trainer's class is known at run time only
        def get_train_dataloader(self) -> Any:
            if _is_of_batches(self.train_dataset):
                return _loader(self.train_dataset)
            return super().get_train_dataloader()

        def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
            dataset = self.eval_dataset if eval_dataset is None else eval_dataset
            if isinstance(dataset, str) and isinstance(self.eval_dataset, dict):
                dataset = self.eval_dataset[dataset]
            return _loader(dataset) if _is_of_batches(dataset) else super().get_eval_dataloader(eval_dataset)

    trainer.__class__ = RayTransformersTrainer
    return trainer


def _is_of_batches(dataset: object) -> bool:
    iterator = sys.modules.get("train_runtime.data.iterator")  # who has such an iterable has imported it
    return iterator is not None and isinstance(dataset, iterator.IterableFromIterator)


def _loader(batches: Any) -> DataLoader[Any]:
    return DataLoader(_Batches(batches), batch_size=1, collate_fn=lambda items: items[0])


class _Batches(IterableDataset):  # type: ignore[misc, type-arg, unused-ignore]  # torch is not followed by mypy
    """Batches as the samples of a torch dataset."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self._batches)


def __getattr__(name: str) -> NoReturn:
    refuse(__name__, name)
