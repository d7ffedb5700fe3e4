"""The operations on blocks, with the results and the order of rows of Ray Data."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from train_runtime.data import _batches
from train_runtime.data._blocks import Block, concatenated, count_rows, split_at
from train_runtime.data._columns import is_frame, joined, table_of_columns, table_of_frame, table_of_rows, to_rows

TransformTable = Callable[[pa.Table], Iterable[pa.Table]]


@dataclass(frozen=True)
class UserFunction:
    """A function, or a class whose instances are called, with the arguments that it gets besides the data."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    constructor_args: tuple[Any, ...] = ()
    constructor_kwargs: Mapping[str, Any] = field(default_factory=dict)

    def ready(self) -> Callable[[Any], Any]:
        """A function of the data alone; a class is instantiated for each pass."""
        function: Any = self.function
        if inspect.isclass(function):
            function = function(*self.constructor_args, **self.constructor_kwargs)
        return lambda data: function(data, *self.args, **self.kwargs)


@dataclass(frozen=True)
class MapRows:
    """`map`, `flat_map` and `filter`: `expand` makes rows of a row and the function's result."""

    function: UserFunction
    expand: Callable[[Mapping[str, Any], Any], Iterable[Mapping[str, Any]]]

    def __call__(self, inputs: list[list[Block]]) -> list[Block]:
        function = self.function.ready()
        return [self._mapped(block, function) for block in inputs[0]]

    def _mapped(self, block: Block, function: Callable[[Any], Any]) -> Block:
        rows = [new for row in to_rows(block.table) for new in self.expand(row, function(dict(row)))]
        return Block.of_task(table_of_rows(rows) if rows else block.table.slice(0, 0))


def one_row(row: Mapping[str, Any], result: Any) -> list[Mapping[str, Any]]:
    """`map`: the result is the row."""
    return [_checked_row(result, "map")]


def many_rows(row: Mapping[str, Any], result: Any) -> list[Mapping[str, Any]]:
    """`flat_map`: the result is a list of rows."""
    return [_checked_row(new, "flat_map") for new in result]


def kept_row(row: Mapping[str, Any], result: Any) -> list[Mapping[str, Any]]:
    """`filter`: the row itself, or nothing."""
    return [row] if result else []


def _checked_row(row: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise ValueError(
            f"The function passed to `{name}` returned {row!r}: a row must be a dictionary, such as {{'item': ...}}."
        )
    return row


@dataclass(frozen=True)
class MapBatches:
    """`map_batches`: blocks are put together until there are `batch_size` rows, then cut into batches."""

    function: UserFunction
    batch_size: int | None
    batch_format: str | None
    copy: bool

    def __call__(self, inputs: list[list[Block]]) -> list[Block]:
        function = self.function.ready()
        blocks = []
        for bundle in self._bundles(inputs[0]):
            results = [
                _batch_to_table(result)
                for table in _batches.cut([bundle], self.batch_size)
                for result in _results(function(_batches.formatted(table, self.batch_format, copy=self.copy)))
            ]
            blocks.append(Block.of_task(joined(results) if results else bundle))
        return blocks

    def _bundles(self, blocks: list[Block]) -> Iterator[pa.Table]:
        waiting: list[Block] = []
        for block in blocks:
            waiting.append(block)
            if self.batch_size is None or count_rows(waiting) >= self.batch_size:
                yield concatenated(waiting)
                waiting = []
        if waiting:
            yield concatenated(waiting)


def _results(result: Any) -> Iterable[Any]:
    return result if inspect.isgenerator(result) else [result]


def _batch_to_table(batch: Any) -> pa.Table:
    if isinstance(batch, pa.Table):
        return batch
    if isinstance(batch, Mapping):
        for name, values in batch.items():
            if not isinstance(values, (list, pa.Array, pa.ChunkedArray)) and not hasattr(values, "__array__"):
                raise ValueError(
                    f"The function passed to `map_batches` returned a dictionary whose value for {name!r} is of type "
                    f"{type(values)}: it must be a list or a NumPy array with one element a row."
                )
        return table_of_columns(batch)
    if is_frame(batch):
        return table_of_frame(batch)
    raise ValueError(
        f"The function passed to `map_batches` returned a value of type {type(batch)}: it must return a dictionary of "
        "NumPy arrays or lists, a pandas.DataFrame or a pyarrow.Table."
    )


@dataclass(frozen=True)
class MapTables:
    """A step that Arrow itself takes on each block."""

    function: Callable[[pa.Table], pa.Table]

    def __call__(self, inputs: list[list[Block]]) -> list[Block]:
        return [Block.of_task(self.function(block.table)) for block in inputs[0]]


@dataclass(frozen=True)
class Limit:
    """The first rows."""

    rows: int

    def __call__(self, inputs: list[list[Block]]) -> list[Block]:
        return split_at(inputs[0], [self.rows])[0]


@dataclass(frozen=True)
class Repartition:
    """The rows in so many blocks of equal size."""

    num_blocks: int

    def __call__(self, inputs: list[list[Block]]) -> list[Block]:
        rows = count_rows(inputs[0])
        indices = [int(rows / self.num_blocks * part) for part in range(1, self.num_blocks)]
        return [Block.of_task(concatenated(part)) for part in split_at(inputs[0], indices)]


@dataclass(frozen=True)
class RandomShuffle:
    """Each block is shuffled and cut into slices, and each new block shuffled again (`repartition(shuffle=True)`: not).

    With a seed the order of rows is Ray's; without one it is another on each pass.
    """

    seed: int | None
    num_blocks: int | None
    shuffle: bool = True

    def __call__(self, inputs: list[list[Block]]) -> list[Block]:
        blocks = inputs[0]
        count = self.num_blocks or len(blocks)
        seed = random.SystemRandom().randrange(2**31) if self.seed is None else self.seed
        slices = [self._sliced(block.table, count, seed + index) for index, block in enumerate(blocks)]
        tables = [joined([part[index] for part in slices]) for index in range(count)]
        return [Block.of_task(_shuffled(table, seed) if self.shuffle else table) for table in tables]

    def _sliced(self, table: pa.Table, count: int, seed: int) -> list[pa.Table]:
        if self.shuffle:
            table = _shuffled(table, seed)
        size = max(1, math.ceil(table.num_rows / count))
        slices = [table.slice(index * size, size) for index in range(count)]
        if self.shuffle:
            order = np.arange(count)
            np.random.RandomState(seed).shuffle(order)
            slices = [slices[index] for index in order]
        return slices


def _shuffled(table: pa.Table, seed: int) -> pa.Table:
    indices = np.arange(table.num_rows)
    np.random.RandomState(seed).shuffle(indices)
    return table.take(indices)


@dataclass(frozen=True)
class RandomizeBlockOrder:
    """The blocks in another order."""

    seed: int | None

    def __call__(self, inputs: list[list[Block]]) -> list[Block]:
        order = np.arange(len(inputs[0]))
        np.random.default_rng(self.seed).shuffle(order)
        return [inputs[0][index] for index in order]


@dataclass(frozen=True)
class Sort:
    """All rows in the order of some columns, in as many blocks."""

    keys: tuple[tuple[str, str], ...]

    def __call__(self, inputs: list[list[Block]]) -> list[Block]:
        table = concatenated(inputs[0])
        if missing := [name for name, _ in self.keys if name not in table.column_names]:
            raise ValueError(f"sort: there is no column {missing[0]!r}; the dataset has {table.column_names}.")
        ordered = Block.of_task(table.sort_by(list(self.keys)))
        return Repartition(len(inputs[0]))([[ordered]]) if inputs[0] else []


def union(inputs: list[list[Block]]) -> list[Block]:
    """The blocks of several datasets, one dataset after the other."""
    return [block for blocks in inputs for block in blocks]
