"""Stand-ins for the loaders of `transformers.Trainer`: which rows each worker's batches hold."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from worker_calls.recorder import WORKERS, described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from worker_calls.data import Dataset, Row
    from worker_calls.frameworks import Modules


class Tensors(dict[str, Any]):
    """A row as a torch formatter gives it."""


def tensors(row: Row) -> Tensors:
    return Tensors({name: ("tensor", value) for name, value in row.items()})


class IterableDataset:
    """`torch.utils.data.IterableDataset`."""


class FedRows(IterableDataset):
    """What TransformersTrainer made of a shard; there are lengths where Ray knew them."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __iter__(self) -> Iterator[Row]:
        return map(tensors, self.dataset.rows)


class FedRowsWithLength(FedRows):
    def __len__(self) -> int:
        return len(self.dataset.rows)


def fed(dataset: Dataset | None, *, has_length: bool) -> FedRows | None:
    if dataset is None:
        return None
    return (FedRowsWithLength if has_length else FedRows)(dataset)


@dataclass
class IterableDatasetShard:
    """The rows of a dataset that one of several processes reads, in batches that the first rows fill up.

    Those of Transformers and of Accelerate do the same.
    """

    dataset: Any
    batch_size: int
    drop_last: bool = False
    num_processes: int = WORKERS
    process_index: int = 0

    def batches(self) -> Iterator[list[Row]]:
        size = self.batch_size * self.num_processes
        own = slice(self.process_index * self.batch_size, (self.process_index + 1) * self.batch_size)
        rows = list(self.dataset)
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            if len(batch) < size and self.drop_last:
                return
            while len(batch) < size:
                batch += rows[:size]
            yield batch[own]


@dataclass
class SampledBatches:
    """The batches of a dataset with indices, dealt out to the processes; Accelerate repeats the first for the last."""

    dataset: Sequence[Row]
    batch_size: int
    drop_last: bool
    process_index: int

    def batches(self) -> Iterator[list[Row]]:
        rows, size = list(self.dataset), self.batch_size * WORKERS
        if self.drop_last:
            rows = rows[: len(rows) // size * size]
        missing = -len(rows) % size
        rows += (rows * size)[:missing]
        cut = [rows[start : start + self.batch_size] for start in range(0, len(rows), self.batch_size)]
        yield from cut[self.process_index :: WORKERS]


class FeedingTrainer:
    """The part of a current `transformers.Trainer` that reads datasets; `args` are its TrainingArguments."""

    train_dataset: Any
    eval_dataset: Any
    collate: Callable[[list[Row]], Any]
    args: Any
    rank: Callable[[], int]

    def __init__(self) -> None:
        self.accelerator = SimpleNamespace(dataloader_config=SimpleNamespace(dispatch_batches=None))

    def get_train_dataloader(self) -> Any:
        is_iterable = isinstance(self.train_dataset, IterableDataset)
        assert is_iterable, "datasets of Ray are read row by row"
        dispatches = self.accelerator.dataloader_config.dispatch_batches
        assert dispatches is False, "the first process reads for all"
        return SimpleNamespace(
            dataset=IterableDatasetShard(
                self.train_dataset, self.args.per_device_train_batch_size, process_index=self.rank()
            )
        )

    def get_eval_dataloader(self) -> Any:
        drops = self.args.dataloader_drop_last
        size = self.args.per_device_eval_batch_size
        if isinstance(self.eval_dataset, FedRows):
            return SimpleNamespace(dataset=IterableDatasetShard(self.eval_dataset, size, drops, WORKERS, self.rank()))
        return SimpleNamespace(dataset=SampledBatches(self.eval_dataset, size, drops, self.rank()))

    def fed_batches(self, name: str) -> Any:
        """What the Trainer reads in two epochs of training, or evaluations, and the length that it knows."""
        dataset = getattr(self, name)
        loader = self.get_train_dataloader() if name == "train_dataset" else self.get_eval_dataloader()
        epochs = [[described(self.collate(batch)) for batch in loader.dataset.batches()] for _ in range(2)]
        return "batches", epochs, len(dataset) if hasattr(dataset, "__len__") else None


def read_by_legacy_trainer(trainer: FeedingTrainer) -> None:
    """Make a Trainer read as with TransformersTrainer, which Transformers kept from splitting `train` once more."""
    base: Any = type(trainer)

    class RayTrainer(base):  # type: ignore[misc]
        def get_train_dataloader(self) -> Any:
            size, drops = self.args.per_device_train_batch_size, self.args.dataloader_drop_last
            return SimpleNamespace(dataset=IterableDatasetShard(self.train_dataset, size, drops, 1, 0))

    trainer.__class__ = RayTrainer


def is_fed(dataset: Any) -> bool:
    """Whether a dataset consists of rows of Ray Data: read one by one, or kept in a list."""
    if isinstance(dataset, IterableDataset):
        return True
    return isinstance(dataset, list) and bool(dataset) and isinstance(dataset[0], Tensors)


FORMATTING: Modules = {
    "datasets": {},
    "datasets.formatting": {"get_formatter": lambda name: SimpleNamespace(recursive_tensorize=tensors)},
}
