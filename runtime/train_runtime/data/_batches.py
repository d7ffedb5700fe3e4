"""Cutting blocks into batches, shuffled locally or not, and giving batches the form that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from train_runtime.data._blocks import Block, concatenated
from train_runtime.data._columns import joined, to_frame, to_numpy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

_FORMATS = ("default", "numpy", "pandas", "pyarrow", None)


def check_format(batch_format: str | None) -> str | None:
    """The format itself.

    Raises:
        ValueError: if there is no such format.
    """
    if batch_format not in _FORMATS:
        raise ValueError(f"The given batch format {batch_format} isn't allowed (must be one of {list(_FORMATS)}).")
    return batch_format


def formatted(table: pa.Table, batch_format: str | None, *, copy: bool = False) -> Any:
    """A batch as a dictionary of NumPy arrays, a pandas frame, or the table itself.

    Arrays may be read-only views of the dataset, unless a copy is asked for.
    """
    if batch_format in ("pyarrow", None):
        return table
    if batch_format == "pandas":
        return to_frame(table)
    batch = to_numpy(table)
    return {name: array.copy() for name, array in batch.items()} if copy else batch


def cut(tables: Sequence[pa.Table], batch_size: int | None) -> Iterator[pa.Table]:
    """Batches of the tables' rows, the last one shorter; the tables themselves for None."""
    if batch_size is None:
        yield from (table for table in tables if table.num_rows)
        return
    table = joined(tables)
    for start in range(0, table.num_rows, batch_size):
        yield table.slice(start, batch_size)


def shuffled(blocks: Sequence[Block], batch_size: int, buffer_size: int, seed: int | None) -> Iterator[pa.Table]:
    """Batches of the blocks' rows, shuffled through a buffer of at least so many rows; with a seed in Ray's order."""
    table = concatenated(blocks)
    for indices in _ShuffleBuffer(batch_size, buffer_size, seed).batches([block.num_rows for block in blocks]):
        yield table.take(indices)


class _ShuffleBuffer:
    """Row numbers on their way through the buffer, as Ray 2.60 shuffles them.

    Rows wait until there are enough of them to be worth a new permutation, of them and of what is left of the last one.
    """

    def __init__(self, batch_size: int, buffer_size: int, seed: int | None) -> None:
        size = max(batch_size, buffer_size)
        self._batch_size = batch_size
        self._min_permuted = max(1, size // 2)
        self._min_to_permute = int(size * 1.5)
        self._random = np.random.default_rng(seed)
        self._waiting: NDArray[np.int64] = np.arange(0)
        self._permuted: NDArray[np.int64] = np.arange(0)

    def batches(self, block_sizes: Sequence[int]) -> Iterator[NDArray[np.int64]]:
        start = 0
        for size in block_sizes:
            self._waiting = np.concatenate([self._waiting, np.arange(start, start + size)])
            start += size
            while self._has_batch():
                yield self._next(permute=len(self._permuted) <= self._min_permuted)
        while len(self._waiting) + len(self._permuted):
            yield self._next(permute=True)

    def _has_batch(self) -> bool:
        rows = len(self._waiting) + len(self._permuted)
        return rows >= self._batch_size and (
            len(self._permuted) >= self._min_permuted or rows - self._batch_size >= self._min_to_permute
        )

    def _next(self, *, permute: bool) -> NDArray[np.int64]:
        if permute and len(self._waiting):
            rows = np.concatenate([self._waiting, self._permuted])
            self._permuted = rows[self._random.permutation(len(rows))]
            self._waiting = np.arange(0)
        batch, self._permuted = np.split(self._permuted, [self._batch_size])
        return batch
