"""Stand-ins for Ray Data: datasets of rows, how trainers split them, and the batches that a worker reads."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from worker_calls.recorder import WORKERS, described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker_calls.frameworks import Modules
    from worker_calls.recorder import Recorder

Row = dict[str, Any]
_ARGUMENTS = {
    "prefetch_batches",
    "batch_size",
    "dtypes",
    "device",
    "collate_fn",
    "drop_last",
    "local_shuffle_buffer_size",
    "local_shuffle_seed",
}


@dataclass
class Dataset:
    """Rows; `is_counted` says that legacy Ray knew how many before it read them."""

    rows: list[Row]
    is_counted: bool = True

    def map_batches(self, function: Callable[[dict[str, Any]], dict[str, Any]], *, batch_format: str) -> Dataset:
        columns = function({name: [row[name] for row in self.rows] for name in self.rows[0]})
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return Dataset([{**row, "as": batch_format} for row in rows], is_counted=False)

    def materialize(self) -> Dataset:
        return Dataset(self.rows)

    def train_test_split(self, *, test_size: float) -> tuple[Dataset, Dataset]:
        """The rows without the last ones, and those."""
        first = len(self.rows) - int(len(self.rows) * test_size)
        return Dataset(self.rows[:first]), Dataset(self.rows[first:])

    def split(self) -> list[Dataset]:
        """Equal parts for the workers; rows that are left over are dropped."""
        size = len(self.rows) // WORKERS
        return [Dataset(self.rows[rank * size : (rank + 1) * size], self.is_counted) for rank in range(WORKERS)]

    def batches(self, arguments: dict[str, Any]) -> Iterator[Any]:
        """What one epoch of `iter_torch_batches` gives: each batch by its rows, and how it is made a tensor."""
        assert set(arguments) <= _ARGUMENTS, f"iter_torch_batches takes none of {sorted(set(arguments) - _ARGUMENTS)}"
        size = arguments.get("batch_size", 256) or len(self.rows)
        collate = arguments.get("collate_fn")
        treatment = {name: value for name, value in arguments.items() if name not in ("collate_fn", "batch_size")}
        for start in range(0, len(self.rows), size):
            rows = self.rows[start : start + size]
            if len(rows) == size or not arguments.get("drop_last", False):
                yield described(collate(rows) if collate is not None else rows), described(treatment)


class Shard:
    """A worker's part of a dataset, on current Ray: what it gives can be read once an epoch."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def iter_torch_batches(self, **arguments: Any) -> Batches:
        return Batches(self._dataset, arguments)

    def iter_rows(self) -> Iterator[Row]:
        return iter(self._dataset.rows)

    def iter_batches(self, *, batch_size: None, batch_format: str) -> Iterator[list[Row]]:
        """Blocks of rows."""
        assert (batch_size, batch_format) == (None, "pyarrow")
        return iter([self._dataset.rows[:2], self._dataset.rows[2:]])


class LegacyShard(Shard):
    """The same on legacy Ray, whose batches took arguments that current Ray doesn't."""

    def iter_torch_batches(self, *, prefetch_blocks: int = 0, **arguments: Any) -> Batches:
        if arguments.get("device", "") is None:
            # The worker's own device, as current Ray takes it by default.
            del arguments["device"]
        return Batches(self._dataset, arguments)


@dataclass
class Batches:
    """What `fit` reads, epoch after epoch."""

    dataset: Dataset
    arguments: dict[str, Any]

    def __iter__(self) -> Iterator[Any]:
        return self.dataset.batches(self.arguments)

    def epochs(self) -> Any:
        """The batches of two epochs."""
        return "batches", [list(self.dataset.batches(self.arguments)) for _ in range(2)]


@dataclass
class RayDataModule:
    """What LightningTrainer made of its datasets; `val` is None where none of that name was given."""

    train: Batches
    val: Batches | None


def shards(datasets: dict[str, Dataset], split: Callable[[str], bool]) -> list[dict[str, Dataset]]:
    """Every worker's datasets: parts of those that are split, all of the others."""
    parts = {name: dataset.split() if split(name) else [dataset] * WORKERS for name, dataset in datasets.items()}
    return [{name: part[rank] for name, part in parts.items()} for rank in range(WORKERS)]


@dataclass
class DataConfig:
    """Which datasets are split; current Ray splits all by default, Ray 2.6 the one called `train`."""

    datasets_to_split: Any = "all"
    execution_options: Any = None

    def splits(self, name: str) -> bool:
        assert isinstance(self.datasets_to_split, list) or self.datasets_to_split == "all"
        return self.datasets_to_split == "all" or name in self.datasets_to_split


@dataclass
class DatasetConfig:
    """The settings of one dataset on legacy Ray; those that the programs here give."""

    fit: bool | None = None
    split: bool | None = None
    required: bool | None = None
    transform: bool | None = None
    max_object_store_memory_fraction: float = -1
    global_shuffle: bool = False
    randomize_block_order: bool | None = None
    per_epoch_preprocessor: Any = None


def legacy_split(version: tuple[int, int], config: Any) -> Callable[[str], bool]:
    """Whether a legacy trainer split a dataset of a name."""
    if isinstance(config, DataConfig):
        if config.datasets_to_split in (None, "all") and version < (2, 7):
            return lambda name: name == "train"
        return config.splits
    if version >= (2, 7):
        return lambda name: True

    def splits(name: str) -> bool:
        own = (config or {}).get(name)
        if own is None and name != "train":
            own = (config or {}).get("*")
        return name == "train" if own is None or own.split is None else own.split

    return splits


class Preprocessor:
    """Adds to each row on how many it was fitted, and after which others it came."""

    def __init__(self, columns: list[str]) -> None:
        self.columns = columns
        self.fitted: int | None = None

    def fit(self, dataset: Dataset) -> Preprocessor:
        self.fitted = len(dataset.rows)
        return self

    def transform(self, dataset: Dataset) -> Dataset:
        assert self.fitted is not None, "the preprocessor is not fitted"
        return Dataset([{**row, "fitted": [*row.get("fitted", []), self.fitted]} for row in dataset.rows])

    def fit_transform(self, dataset: Dataset) -> Dataset:
        return self.fit(dataset).transform(dataset)


class Chain(Preprocessor):
    def __init__(self, *preprocessors: Any) -> None:
        self.preprocessors = preprocessors

    @property
    def fitted(self) -> int | None:  # type: ignore[override]
        return None if any(one.fitted is None for one in self.preprocessors) else 0

    def fit(self, dataset: Dataset) -> Chain:
        for one in self.preprocessors:
            dataset = one.fit_transform(dataset)
        return self

    def transform(self, dataset: Dataset) -> Dataset:
        for one in self.preprocessors:
            dataset = one.transform(dataset)
        return dataset


@dataclass
class BatchMapper:
    """Only legacy Ray has it; there is nothing to fit."""

    fn: Callable[[dict[str, Any]], dict[str, Any]]
    batch_format: str
    batch_size: Any = "default"
    fitted: int | None = field(default=0, init=False)

    def fit_transform(self, dataset: Dataset) -> Dataset:
        return self.transform(dataset)

    def transform(self, dataset: Dataset) -> Dataset:
        return dataset.map_batches(self.fn, batch_format=self.batch_format)


def preprocessed(datasets: dict[str, Dataset], preprocessor: Any, config: Any) -> dict[str, Dataset]:
    """The datasets as a legacy trainer's run transformed them: with a copy of the preprocessor."""
    if preprocessor is None:
        return datasets
    preprocessor = copy.deepcopy(preprocessor)
    if preprocessor.fitted is None:
        preprocessor.fit(datasets["train"])
    kept = {name for name, one in (config or {}).items() if one.transform is False}
    return {name: dataset if name in kept else preprocessor.transform(dataset) for name, dataset in datasets.items()}


def ray_data(recorder: Recorder, version: tuple[int, int] | None) -> Modules:
    """`ray.data` and its preprocessors."""

    def from_items(items: list[Any], *, is_counted: bool = True) -> Dataset:
        recorder.recording.effects.append((recorder.place, f"{len(items)} rows"))
        return Dataset([item if isinstance(item, dict) else {"item": item} for item in items], is_counted)

    def read(path: str) -> Dataset:
        return from_items([{"path": path, "row": number} for number in range(8)], is_counted=False)

    preprocessors: dict[str, Any] = {"StandardScaler": Preprocessor, "Normalizer": Preprocessor, "Chain": Chain}
    if version is not None:
        preprocessors["BatchMapper"] = BatchMapper
    return {
        "ray.data": {
            "from_items": from_items,
            **dict.fromkeys(("read_csv", "read_parquet", "read_text"), read),
            "Dataset": Dataset,
        },
        "ray.data.preprocessors": preprocessors,
    }
