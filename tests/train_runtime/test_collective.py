"""Workers that meet through the driver, or fail to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

import train_runtime
from train_runtime import WorkerGroupError, WorkerHungError
from train_runtime.collective import barrier, broadcast_from_rank_zero

if TYPE_CHECKING:
    from conftest import Fit


def test_every_rank_gets_what_rank_0_has(fit: Fit) -> None:
    def train() -> list[object]:
        rank = train_runtime.get_context().get_world_rank()
        barrier()
        train_runtime.report({"rank": rank})
        return [broadcast_from_rank_zero({"rank": rank}), broadcast_from_rank_zero(b"x" * 10**6 if rank == 0 else None)]

    result = fit(train)
    assert result.return_value == [{"rank": 0}, b"x" * 10**6]
    assert result.metrics == {"rank": 0}


def test_there_are_no_others_outside_of_a_worker() -> None:
    for collective in (barrier, lambda: broadcast_from_rank_zero(1)):
        with pytest.raises(RuntimeError, match="outside of a train function"):
            collective()


def test_a_hang_says_where_each_rank_is(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAIN_RUNTIME_HANG_TIMEOUT_S", "1")

    def waits_for_nobody() -> None:
        threading.Event().wait()

    def train() -> None:
        if train_runtime.get_context().get_world_rank() == 1:
            waits_for_nobody()
        barrier()

    with pytest.raises(WorkerGroupError) as raised:
        fit(train)
    assert list(raised.value.worker_failures) == [1]
    assert isinstance(raised.value.__cause__, WorkerHungError)
    message = str(raised.value)
    assert "Nothing was heard of any rank for 1 s" in message
    assert f'File "{__file__}"' in message
    assert "in train\n    waits_for_nobody()\n" in message
    assert "in waits_for_nobody\n    threading.Event().wait()\n" in message
    assert "_worker.py" not in message
