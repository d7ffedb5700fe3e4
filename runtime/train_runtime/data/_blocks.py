"""A dataset's blocks, and how Ray Data deals them out to workers."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from train_runtime.data._columns import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

# Ray keeps a task's result up to this size with its owner, so that it is on no node in particular.
_INLINED_BYTES = 100 * 1024


class Block(NamedTuple):
    """Consecutive rows. Which rows are one block decides which worker gets them."""

    table: pa.Table
    is_placed: bool
    """Whether Ray would know the node that holds it: workers take placed blocks as soon as there is one."""

    @classmethod
    def of_task(cls, table: pa.Table) -> Block:
        """The block that a Ray task would have returned."""
        return cls(table, is_placed=table.nbytes > _INLINED_BYTES)

    @property
    def num_rows(self) -> int:
        return self.table.num_rows if self.table.num_columns else 0

    def split(self, rows: int) -> tuple[Block, Block]:
        """The first rows, and the others."""
        return self.of_task(self.table.slice(0, rows)), self.of_task(self.table.slice(rows))


def concatenated(blocks: Sequence[Block]) -> pa.Table:
    """All rows as one table."""
    return joined([block.table for block in blocks])


def count_rows(blocks: Iterable[Block]) -> int:
    """The number of rows in all blocks."""
    return sum(block.num_rows for block in blocks)


def split_at(blocks: Sequence[Block], indices: Sequence[int]) -> list[list[Block]]:
    """The blocks cut at these rows, into one part more."""
    waiting = deque(blocks)
    parts = []
    start = 0
    for index in indices:
        parts.append(_take(waiting, index - start))
        start = max(start, index)
    return [*parts, list(waiting)]


def _take(waiting: deque[Block], rows: int) -> list[Block]:
    taken: list[Block] = []
    while waiting and rows > 0:
        block = waiting.popleft()
        if block.num_rows > rows:
            block, rest = block.split(rows)
            waiting.appendleft(rest)
        taken.append(block)
        rows -= block.num_rows
    return taken


def deal(blocks: Sequence[Block], n: int) -> list[list[Block]]:
    """The blocks of each of `n` workers, which get the same number of rows; rows beyond that are dropped.

    This is what Ray's `streaming_split(n, equal=True)` does on one node, block by block in their order: a block goes to
    the worker with the fewest rows, once enough rows are waiting behind it to make all workers equal in the end. For
    the sake of locality a block that is on no node waits until 2 n blocks are there. Ray's tasks may end in another
    order than they began, so there results of functions may be dealt otherwise.
    """
    dealer = _Dealer(n)
    for block in blocks:
        dealer.add(block)
    return dealer.finish()


class _Dealer:
    """The state of `deal`."""

    def __init__(self, n: int) -> None:
        self._hands: list[list[Block]] = [[] for _ in range(n)]
        self._rows = [0] * n
        self._waiting: list[Block] = []

    def add(self, block: Block) -> None:
        self._waiting.append(block)
        for _ in range(len(self._waiting)):
            worker = self._rows.index(min(self._rows))
            placed = next((index for index, block in enumerate(self._waiting) if block.is_placed), None)
            if placed is None and len(self._waiting) < 2 * len(self._hands):
                return
            index = placed or 0
            if not self._may_give(worker, self._waiting[index].num_rows):
                return
            self._give(worker, self._waiting.pop(index))

    def _may_give(self, worker: int, rows: int) -> bool:
        """Whether the rows left would suffice to make all workers equal."""
        after = [count + rows * (index == worker) for index, count in enumerate(self._rows)]
        left = count_rows(self._waiting) - rows
        return left >= sum(max(after) - count for count in after)

    def _give(self, worker: int, block: Block) -> None:
        self._hands[worker].append(block)
        self._rows[worker] += block.num_rows

    def finish(self) -> list[list[Block]]:
        """Make all workers equal; what is left of a block that was cut goes behind the others, as in Ray."""
        lacking = [max(self._rows) - count for count in self._rows]
        waiting = count_rows(self._waiting)
        share = (waiting - sum(lacking)) // len(self._rows)
        for worker, rows in enumerate(lacking):
            needed = rows + share
            while needed:
                block = self._waiting.pop(0)
                if block.num_rows > needed:
                    block, rest = block.split(needed)
                    self._waiting.append(rest)
                self._give(worker, block)
                needed -= block.num_rows
        return self._hands
