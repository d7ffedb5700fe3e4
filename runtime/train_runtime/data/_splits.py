"""Which blocks the parts get into which a dataset is split, with the checks and the errors of Ray Data.

The functions take plans and not blocks: what is asked for is checked before any step is taken, where that is possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from train_runtime.data._blocks import count_rows, deal, split_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from train_runtime.data._blocks import Block
    from train_runtime.data._plan import Plan


def into(plan: Plan, n: int, *, equal: bool) -> list[list[Block]]:
    """`split`: `n` parts of whole blocks, or of the same number of rows; rows beyond that are dropped."""
    blocks = plan.blocks()
    if equal:
        rows = count_rows(blocks) // n
        return split_at(blocks, [rows * part for part in range(1, n + 1)])[:n]
    return [[blocks[index] for index in part] for part in np.array_split(np.arange(len(blocks)), n)]


def for_consumers(plan: Plan, n: int, *, equal: bool) -> list[list[Block]]:
    """`streaming_split`: `n` parts to which the blocks are dealt in turn, or of the same number of rows."""
    blocks = plan.blocks()
    return deal(blocks, n) if equal else [blocks[index::n] for index in range(n)]


def by_shares(plan: Plan, proportions: Sequence[float]) -> list[list[Block]]:
    """`split_proportionately`: parts of these shares, and one with the rest.

    Raises:
        ValueError: if the shares are not positive numbers with a sum below 1, or are too small.
    """
    if not proportions or min(proportions) <= 0 or sum(proportions) >= 1:
        raise ValueError("proportions must be bigger than 0, and must sum to less than 1.")
    blocks = plan.blocks()
    indices = [int(count_rows(blocks) * share) for share in np.cumsum(proportions)]
    if any(end <= start for start, end in zip([0, *indices], indices, strict=False)):
        raise ValueError("Couldn't create non-empty splits with the given proportions.")
    return split_at(blocks, indices)


def into_train_and_test(plan: Plan, test_size: int | float) -> list[list[Block]]:
    """`train_test_split`: the first rows, and the last ones: a number of them, or a share.

    Raises:
        ValueError: for a share that is not between 0 and 1, or a number that is not smaller than the dataset.
    """
    if isinstance(test_size, float):
        if not 0 < test_size < 1:
            raise ValueError(
                f"If `test_size` is a float, it must be bigger than 0 and smaller than 1. Got {test_size}."
            )
        return by_shares(plan, [1 - test_size])
    blocks = plan.blocks()
    rows = count_rows(blocks)
    if not 0 < test_size < rows:
        raise ValueError(
            "If `test_size` is an int, it must be bigger than 0 and smaller than the size of the dataset "
            f"({rows}). Got {test_size}."
        )
    return split_at(blocks, [rows - test_size])
