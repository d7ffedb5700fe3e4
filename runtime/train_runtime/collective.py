"""What all workers do together, through the driver instead of the process group (`ray.train.collective`).

All collectives and `report` meet at one place: a rank that calls `barrier` meets those that call
`broadcast_from_rank_zero`, as on Ray. A rank that calls `report` where others call one of these is an error.
"""

from __future__ import annotations

from typing import TypeVar

from train_runtime import _session

_Data = TypeVar("_Data")


def barrier() -> None:
    """Wait until every rank has called this (`ray.train.collective.barrier`).

    Raises:
        RuntimeError: outside a worker.
    """
    _session.current("barrier").broadcast("barrier()", None)


def broadcast_from_rank_zero(data: _Data) -> _Data:
    """Rank 0's data, on every rank; every rank must call it (`ray.train.collective.broadcast_from_rank_zero`).

    Meant for small values, such as a path or a seed: the data is pickled and passes through the driver.

    Raises:
        TypeError: if rank 0's data cannot be pickled.
        RuntimeError: outside a worker.
    """
    received: _Data = _session.current("broadcast_from_rank_zero").broadcast("broadcast_from_rank_zero()", data)
    return received
