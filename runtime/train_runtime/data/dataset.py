"""`ray.data.Dataset`: what training scripts use of it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from train_runtime._removed import advice
from train_runtime.data import _batches, _splits, _steps
from train_runtime.data._blocks import Block, concatenated, count_rows, split_at
from train_runtime.data._columns import table_of_columns, to_frame
from train_runtime.data._plan import InMemory, Plan, Step
from train_runtime.data._schema import Schema
from train_runtime.data.iterator import DataIterator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pandas as pd
    import torch

__all__ = ["Dataset", "Schema"]

_NO_LIMIT = 2**62


class Dataset:
    """Rows with named columns. Operations are taken anew for each pass over the data, as on Ray, but in this process.

    Wherever Ray has one order of rows, this is it; where Ray has none (a `union`, files that are read) the rows come in
    the order in which they were written down. Resources (`num_cpus`, `concurrency`, `compute`, ...) are taken without
    effect.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    # --- rows and columns made of others -----------------------------------------------------------------------------

    def map(
        self,
        fn: Callable[..., Mapping[str, Any]],
        *,
        fn_args: Iterable[Any] | None = None,
        fn_kwargs: Mapping[str, Any] | None = None,
        fn_constructor_args: Iterable[Any] | None = None,
        fn_constructor_kwargs: Mapping[str, Any] | None = None,
        **resources: Any,
    ) -> Dataset:
        """Each row replaced by what the function (or an instance of the class) makes of it."""
        function = _user_function(fn, fn_args, fn_kwargs, fn_constructor_args, fn_constructor_kwargs)
        return self._then(_steps.MapRows(function, _steps.one_row))

    def flat_map(
        self,
        fn: Callable[..., Iterable[Mapping[str, Any]]],
        *,
        fn_args: Iterable[Any] | None = None,
        fn_kwargs: Mapping[str, Any] | None = None,
        fn_constructor_args: Iterable[Any] | None = None,
        fn_constructor_kwargs: Mapping[str, Any] | None = None,
        **resources: Any,
    ) -> Dataset:
        """Each row replaced by the rows that the function makes of it."""
        function = _user_function(fn, fn_args, fn_kwargs, fn_constructor_args, fn_constructor_kwargs)
        return self._then(_steps.MapRows(function, _steps.many_rows))

    def filter(
        self,
        fn: Callable[..., bool] | None = None,
        expr: None = None,
        *,
        fn_args: Iterable[Any] | None = None,
        fn_kwargs: Mapping[str, Any] | None = None,
        fn_constructor_args: Iterable[Any] | None = None,
        fn_constructor_kwargs: Mapping[str, Any] | None = None,
        **resources: Any,
    ) -> Dataset:
        """The rows for which the function is true."""
        if fn is None or expr is not None:
            raise NotImplementedError(f"filter(expr=...): give a function. {advice('ray.data')}")
        function = _user_function(fn, fn_args, fn_kwargs, fn_constructor_args, fn_constructor_kwargs)
        return self._then(_steps.MapRows(function, _steps.kept_row))

    def map_batches(
        self,
        fn: Callable[..., Any],
        *,
        batch_size: int | str | None = None,
        batch_format: str | None = "default",
        zero_copy_batch: bool = True,
        fn_args: Iterable[Any] | None = None,
        fn_kwargs: Mapping[str, Any] | None = None,
        fn_constructor_args: Iterable[Any] | None = None,
        fn_constructor_kwargs: Mapping[str, Any] | None = None,
        **resources: Any,
    ) -> Dataset:
        """Batches replaced by what the function makes of them: dictionaries of arrays, pandas frames or Arrow tables.

        A batch is one block unless there is a `batch_size`. Its arrays may be read-only unless `zero_copy_batch=False`.
        """
        _batches.check_format(batch_format)
        function = _user_function(fn, fn_args, fn_kwargs, fn_constructor_args, fn_constructor_kwargs)
        size = batch_size if isinstance(batch_size, int) else None
        return self._then(_steps.MapBatches(function, size, batch_format, copy=not zero_copy_batch))

    def add_column(
        self, col: str, fn: Callable[[Any], Any], *, batch_format: str | None = "pandas", **resources: Any
    ) -> Dataset:
        """A column more, which the function makes of a batch."""

        def with_column(batch: Any) -> Any:
            if isinstance(batch, pa.Table):
                return batch.append_column(col, table_of_columns({col: fn(batch)})[col])
            column = fn(batch)
            return {**batch, col: column} if isinstance(batch, dict) else batch.assign(**{col: column})

        return self.map_batches(with_column, batch_format=batch_format)

    def select_columns(self, cols: str | list[str], **resources: Any) -> Dataset:
        """These columns alone, in this order."""
        names = [cols] if isinstance(cols, str) else list(cols)
        return self._then(_steps.MapTables(lambda table: table.select(names)))

    def drop_columns(self, cols: list[str], **resources: Any) -> Dataset:
        """All columns but these.

        Raises:
            KeyError: if a column does not exist, when the data is read.
        """
        return self._then(_steps.MapTables(lambda table: table.drop_columns(list(cols))))

    def rename_columns(self, names: dict[str, str] | list[str], **resources: Any) -> Dataset:
        """Columns under new names: a dictionary from old ones, or all new ones in their order."""
        return self._then(_steps.MapTables(lambda table: table.rename_columns(names)))

    # --- other orders ------------------------------------------------------------------------------------------------

    def random_shuffle(self, *, seed: int | None = None, num_blocks: int | None = None, **resources: Any) -> Dataset:
        """The rows in a random order: with a seed always the same one, without one another on each pass."""
        return self._then(_steps.RandomShuffle(seed, num_blocks))

    def randomize_block_order(self, *, seed: int | None = None) -> Dataset:
        """The blocks in a random order."""
        return self._then(_steps.RandomizeBlockOrder(seed))

    def repartition(self, num_blocks: int, *, shuffle: bool = False) -> Dataset:
        """The rows in so many blocks."""
        return self._then(_steps.RandomShuffle(0, num_blocks, False) if shuffle else _steps.Repartition(num_blocks))

    def sort(self, key: str | list[str], descending: bool | list[bool] = False) -> Dataset:
        """The rows ordered by one or several columns."""
        keys = [key] if isinstance(key, str) else key
        orders = descending if isinstance(descending, list) else [descending] * len(keys)
        return self._then(
            _steps.Sort(
                tuple((key, "descending" if down else "ascending") for key, down in zip(keys, orders, strict=True))
            )
        )

    def limit(self, limit: int) -> Dataset:
        """The first rows."""
        return self._then(_steps.Limit(limit))

    # --- several datasets --------------------------------------------------------------------------------------------

    def union(self, *other: Dataset) -> Dataset:
        """The rows of all datasets."""
        return Dataset(Step((self._plan, *(dataset._plan for dataset in other)), _steps.union))

    def split(self, n: int, *, equal: bool = False, locality_hints: list[Any] | None = None) -> list[Dataset]:
        """`n` datasets of whole blocks, or of the same number of rows."""
        return [_materialized(part) for part in _splits.into(self._plan, n, equal=equal)]

    def split_at_indices(self, indices: list[int]) -> list[Dataset]:
        """The dataset cut before these rows."""
        return [_materialized(part) for part in split_at(self._plan.blocks(), indices)]

    def split_proportionately(self, proportions: list[float]) -> list[Dataset]:
        """The dataset cut into these shares, and one with the rest.

        Raises:
            ValueError: if the shares are not positive numbers with a sum below 1, or are too small.
        """
        return [_materialized(part) for part in _splits.by_shares(self._plan, proportions)]

    def train_test_split(
        self, test_size: int | float, *, shuffle: bool = False, seed: int | None = None
    ) -> tuple[Dataset, Dataset]:
        """The first rows, and the last ones: a number of them, or a share.

        Raises:
            ValueError: for a share that is not between 0 and 1, or a number that is not smaller than the dataset.
        """
        source = self.random_shuffle(seed=seed) if shuffle else self
        train, test = (_materialized(part) for part in _splits.into_train_and_test(source._plan, test_size))
        return train, test

    def streaming_split(
        self, n: int, *, equal: bool = False, locality_hints: list[Any] | None = None
    ) -> list[DataIterator]:
        """An iterator for each of `n` consumers. The steps are taken once, now, and not for each pass as on Ray."""
        parts = _splits.for_consumers(self._plan, n, equal=equal)
        return [_materialized(part).iterator() for part in parts]

    # --- what is in it -----------------------------------------------------------------------------------------------

    def iterator(self) -> DataIterator:
        """Passes over the rows."""
        return DataIterator(self._plan.blocks)

    def iter_rows(self) -> Iterable[dict[str, Any]]:
        """See `DataIterator.iter_rows`."""
        return self.iterator().iter_rows()

    def iter_batches(
        self,
        *,
        prefetch_batches: int = 1,
        batch_size: int | None = 256,
        batch_format: str | None = "default",
        drop_last: bool = False,
        local_shuffle_buffer_size: int | None = None,
        local_shuffle_seed: int | None = None,
    ) -> Iterable[Any]:
        """See `DataIterator.iter_batches`."""
        return self.iterator().iter_batches(
            prefetch_batches=prefetch_batches,
            batch_size=batch_size,
            batch_format=batch_format,
            drop_last=drop_last,
            local_shuffle_buffer_size=local_shuffle_buffer_size,
            local_shuffle_seed=local_shuffle_seed,
        )

    def iter_torch_batches(
        self,
        *,
        prefetch_batches: int = 1,
        batch_size: int | None = 256,
        dtypes: torch.dtype | dict[str, torch.dtype] | None = None,
        device: str | torch.device = "auto",
        collate_fn: Callable[[Any], Any] | None = None,
        drop_last: bool = False,
        local_shuffle_buffer_size: int | None = None,
        local_shuffle_seed: int | None = None,
        pin_memory: bool = False,
    ) -> Iterable[Any]:
        """See `DataIterator.iter_torch_batches`."""
        return self.iterator().iter_torch_batches(
            prefetch_batches=prefetch_batches,
            batch_size=batch_size,
            dtypes=dtypes,
            device=device,
            collate_fn=collate_fn,
            drop_last=drop_last,
            local_shuffle_buffer_size=local_shuffle_buffer_size,
            local_shuffle_seed=local_shuffle_seed,
            pin_memory=pin_memory,
        )

    def take(self, limit: int = 20) -> list[dict[str, Any]]:
        """At most so many first rows."""
        return list(itertools.islice(self.iter_rows(), limit))

    def take_all(self, limit: int | None = None) -> list[dict[str, Any]]:
        """All rows.

        Raises:
            ValueError: if there are more than `limit`.
        """
        rows = list(self.iter_rows())
        if limit is not None and len(rows) > limit:
            raise ValueError(f"The dataset has more than the given limit of {limit} records.")
        return rows

    def take_batch(self, batch_size: int = 20, *, batch_format: str | None = "default") -> Any:
        """The first rows as one batch."""
        return _batches.formatted(self._head(batch_size), _batches.check_format(batch_format))

    def show(self, limit: int = 20) -> None:
        """Print the first rows."""
        for row in self.take(limit):
            print(row)

    def to_pandas(self, limit: int | None = None) -> pd.DataFrame:
        """All rows as a frame.

        Raises:
            ValueError: if there are more than `limit`.
        """
        table = self._head(_NO_LIMIT)
        if limit is not None and table.num_rows > limit:
            raise ValueError(f"the dataset has more than the given limit of {limit} rows: {table.num_rows}.")
        return to_frame(table)

    def count(self) -> int:
        """The number of rows."""
        return count_rows(self._plan.blocks())

    def schema(self, fetch_if_missing: bool = True) -> Schema | None:
        """The names and types of the columns; None for a dataset without any."""
        schema = self._head(_NO_LIMIT).schema
        return Schema(schema) if schema.names else None

    def columns(self, fetch_if_missing: bool = True) -> list[str] | None:
        """The names of the columns."""
        schema = self.schema()
        return schema.names if schema else None

    def num_blocks(self) -> int:
        """The number of blocks."""
        return len(self._plan.blocks())

    def size_bytes(self) -> int:
        """The size of the data in memory."""
        return sum(block.table.nbytes for block in self._plan.blocks())

    def materialize(self) -> Dataset:
        """The dataset with all steps taken, once and for all."""
        return _materialized(self._plan.blocks())

    def min(self, on: str | list[str] | None = None) -> Any:
        """The smallest value of a column; of several ones, a dictionary."""
        return self._aggregate("min", pc.min, on)

    def max(self, on: str | list[str] | None = None) -> Any:
        """The largest value of a column; of several ones, a dictionary."""
        return self._aggregate("max", pc.max, on)

    def sum(self, on: str | list[str] | None = None) -> Any:
        """The sum of a column; of several ones, a dictionary."""
        return self._aggregate("sum", pc.sum, on)

    def mean(self, on: str | list[str] | None = None) -> Any:
        """The mean of a column; of several ones, a dictionary."""
        return self._aggregate("mean", pc.mean, on)

    def std(self, on: str | list[str] | None = None, ddof: int = 1) -> Any:
        """The standard deviation of a column; of several ones, a dictionary."""
        return self._aggregate("std", lambda column: pc.stddev(column, ddof=ddof), on)

    def unique(self, column: str) -> list[Any]:
        """The different values of a column."""
        values: list[Any] = self._head(_NO_LIMIT)[column].unique().to_pylist()
        return values

    # --- inside ------------------------------------------------------------------------------------------------------

    def _then(self, operation: Callable[[list[list[Block]]], list[Block]]) -> Dataset:
        return Dataset(Step((self._plan,), operation))

    def _head(self, rows: int) -> pa.Table:
        return concatenated(self._plan.blocks()).slice(0, rows)

    def _aggregate(
        self, name: str, function: Callable[[pa.ChunkedArray], pa.Scalar], on: str | list[str] | None
    ) -> Any:
        table = self._head(_NO_LIMIT)
        if isinstance(on, str):
            return function(table[on]).as_py()
        return {f"{name}({column})": function(table[column]).as_py() for column in on or table.column_names}

    def __repr__(self) -> str:
        return f"Dataset({type(self._plan).__name__})"

    def __len__(self) -> NoReturn:
        raise AttributeError("Use `ds.count()` to compute the length of a distributed Dataset.")

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> NoReturn:
        raise TypeError(
            "`Dataset` objects aren't iterable. To iterate records, call `ds.iter_rows()` or `ds.iter_batches()`."
        )

    def __getattr__(self, name: str) -> NoReturn:
        message = f"'Dataset' object has no attribute {name!r}"
        hint = "" if name.startswith("_") else f": {advice(f'ray.data.Dataset.{name}')}"
        raise AttributeError(message + hint, name=name, obj=self)


def _user_function(
    function: Callable[..., Any],
    args: Iterable[Any] | None,
    kwargs: Mapping[str, Any] | None,
    constructor_args: Iterable[Any] | None,
    constructor_kwargs: Mapping[str, Any] | None,
) -> _steps.UserFunction:
    return _steps.UserFunction(
        function, tuple(args or ()), dict(kwargs or {}), tuple(constructor_args or ()), dict(constructor_kwargs or {})
    )


def _materialized(blocks: Iterable[Block]) -> Dataset:
    return Dataset(InMemory(tuple(blocks)))
