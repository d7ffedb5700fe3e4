"""Datasets of values in memory and of files: `ray.data.from_*`, `range` and `read_*`."""

from __future__ import annotations

import builtins
import glob
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from train_runtime.data._blocks import Block
from train_runtime.data._columns import table_of_columns, table_of_frame, table_of_rows
from train_runtime.data._plan import HuggingFace, InMemory
from train_runtime.data.dataset import Dataset

if TYPE_CHECKING:
    import datasets
    import pandas as pd
    import pyarrow as pa

# Ray makes that many blocks of a list, if it is long enough.
_ITEM_BLOCKS = 200


def from_items(items: Sequence[Any], *, override_num_blocks: int | None = None) -> Dataset:
    """A dataset of dictionaries; anything else becomes the column "item"."""
    rows = [item if isinstance(item, Mapping) else {"item": item} for item in items]
    parts = np.array_split(np.arange(len(rows)), override_num_blocks or _ITEM_BLOCKS)
    return _placed(table_of_rows(rows[part[0] : part[-1] + 1]) for part in parts if len(part))


def range(n: int, *, override_num_blocks: int | None = None) -> Dataset:
    """The numbers from 0 to `n - 1` in the column "id"; one block, where Ray makes some for each CPU."""
    size = builtins.max(1, n // (override_num_blocks or 1))
    return _read(table_of_columns({"id": np.arange(n)[start : start + size]}) for start in builtins.range(0, n, size))


def from_pandas(dfs: pd.DataFrame | list[pd.DataFrame], *, override_num_blocks: int | None = None) -> Dataset:
    """A dataset of frames, a block each; an index is left out."""
    frames = dfs if isinstance(dfs, list) else [dfs]
    return _repartitioned(_placed(table_of_frame(frame) for frame in frames), override_num_blocks)


def from_numpy(ndarrays: np.ndarray | list[np.ndarray]) -> Dataset:
    """A dataset of arrays, a block each, in the column "data"; the first dimension is the rows'."""
    arrays = ndarrays if isinstance(ndarrays, list) else [ndarrays]
    return _placed(table_of_columns({"data": array}) for array in arrays)


def from_arrow(tables: pa.Table | list[pa.Table], *, override_num_blocks: int | None = None) -> Dataset:
    """A dataset of Arrow tables, a block each."""
    listed = tables if isinstance(tables, list) else [tables]
    return _repartitioned(_placed(table.replace_schema_metadata(None) for table in listed), override_num_blocks)


def from_huggingface(
    dataset: datasets.Dataset | datasets.IterableDataset, *, override_num_blocks: int | None = None, **reading: Any
) -> Dataset:
    """A dataset of the `datasets` library, whose files the workers share; an iterable one is read to its end.

    Raises:
        DeprecationWarning: for a dictionary of datasets, as on Ray.
        TypeError: for anything else.
    """
    import datasets

    if isinstance(dataset, (datasets.DatasetDict, datasets.IterableDatasetDict)):
        raise DeprecationWarning(
            "`from_huggingface` takes a single dataset, not a dictionary of them: choose one of its splits, "
            f"{list(dataset)}."
        )
    if isinstance(dataset, datasets.IterableDataset):
        return from_items(list(dataset), override_num_blocks=override_num_blocks or 1)
    if not isinstance(dataset, datasets.Dataset):
        raise TypeError(f"`dataset` must be a `datasets.Dataset`, but got {type(dataset)}")
    return _repartitioned(Dataset(HuggingFace(dataset)), override_num_blocks)


def from_torch(dataset: Any, local_read: bool = False) -> Dataset:
    """The samples of a torch dataset, read one after the other, in the column "item"."""
    samples = (dataset[index] for index in builtins.range(len(dataset))) if hasattr(dataset, "__len__") else dataset
    return _read([table_of_rows([{"item": sample} for sample in samples])])


def read_parquet(paths: str | list[str], *, columns: list[str] | None = None, **reading: Any) -> Dataset:
    """Parquet files, a block each."""
    import pyarrow.parquet

    return _read_files(paths, ".parquet", lambda path: pyarrow.parquet.read_table(path, columns=columns), reading)


def read_csv(paths: str | list[str], **reading: Any) -> Dataset:
    """CSV files, a block each."""
    import pyarrow.csv

    names = {"read_options", "parse_options", "convert_options"}.intersection(reading)
    options = {name: reading.pop(name) for name in names}
    return _read_files(paths, ".csv", lambda path: pyarrow.csv.read_csv(path, **options), reading)


def read_json(paths: str | list[str], **reading: Any) -> Dataset:
    """Files of JSON objects, one a line, a block each."""
    import pyarrow.json

    return _read_files(paths, (".json", ".jsonl"), pyarrow.json.read_json, reading)


def _read_files(
    paths: str | list[str],
    endings: str | tuple[str, ...],
    read: Callable[[str], pa.Table],
    reading: Mapping[str, Any],
) -> Dataset:
    known = {"override_num_blocks", "parallelism", "concurrency", "ray_remote_args", "num_cpus", "num_gpus", "memory"}
    if unknown := sorted(set(reading) - known):
        raise NotImplementedError(f"Reading files with {unknown} needs Ray: pip install 'ray[data]'.")
    listed = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    files = [file for path in listed for file in _files(os.fspath(path), endings)]
    tables = [read(file).replace_schema_metadata(None) for file in files]
    return _repartitioned(_read(tables), reading.get("override_num_blocks"))


def _files(path: str, endings: str | tuple[str, ...]) -> list[str]:
    if "://" in path:
        raise NotImplementedError(f"This runtime reads local files only, not {path}: pip install 'ray[data]'.")
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        found = sorted(glob.glob(os.path.join(glob.escape(path), "**", "*"), recursive=True))
        return [file for file in found if file.endswith(endings)]
    if not os.path.exists(path):
        raise FileNotFoundError(path)
    return [path]


def _repartitioned(dataset: Dataset, num_blocks: int | None) -> Dataset:
    return dataset if num_blocks is None else dataset.repartition(num_blocks).materialize()


def _placed(tables: Iterable[pa.Table]) -> Dataset:
    """A dataset of tables that Ray's driver would have put on its node."""
    return Dataset(InMemory(tuple(Block(table, is_placed=True) for table in tables)))


def _read(tables: Iterable[pa.Table]) -> Dataset:
    """A dataset of tables that Ray's tasks would have read."""
    return Dataset(InMemory(tuple(Block.of_task(table) for table in tables)))
