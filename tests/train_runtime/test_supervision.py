"""The controller's decisions, with a worker group that only plays its part."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from train_runtime import CheckpointConfig, TrainingFailedError, WorkerGroupError
from train_runtime._attempt import Attempt, AttemptFailed
from train_runtime._folder import open_folder
from train_runtime._messages import (
    Broadcast,
    Broadcasted,
    DriverMessage,
    Finished,
    Rendezvous,
    Report,
    ReportStored,
    StoreListening,
)
from train_runtime._output import Console
from train_runtime._storage import RunStorage
from train_runtime._timeouts import Timeouts
from train_runtime._worker_group import Exited, WorkerEvent

if TYPE_CHECKING:
    from pathlib import Path


class ScriptedGroup:
    """Gives the events that it was made with, one list a call, and notes what it is told to send."""

    size = 2
    is_listening = False

    def __init__(self, *events: list[tuple[int, WorkerEvent]]) -> None:
        self._events = list(events)
        self.sent: list[tuple[int, DriverMessage]] = []

    def events(self, timeout: float = 0) -> list[tuple[int, WorkerEvent]]:
        return self._events.pop(0)

    def send(self, rank: int, message: DriverMessage) -> None:
        self.sent.append((rank, message))

    def stacks(self, ranks: list[int]) -> dict[int, str]:
        return dict.fromkeys(ranks, "  (somewhere)")

    def broadcast(self, message: DriverMessage) -> None:
        self.sent += [(0, message), (1, message)]


def report(rank: int, directory: Path | None = None, **metrics: Any) -> tuple[int, Report]:
    source = str(directory) if directory else None
    return rank, Report(pickle.dumps(metrics) if rank == 0 else None, source, "a", is_async=False)


FINISHED: list[tuple[int, WorkerEvent]] = [(0, Finished(pickle.dumps("done"))), (1, Finished(None))]


@pytest.fixture
def storage(tmp_path: Path) -> RunStorage:
    return RunStorage.open(open_folder(tmp_path / "run"), CheckpointConfig())


def test_ranks_meet_at_rank_0s_store_and_in_report(storage: RunStorage) -> None:
    group = ScriptedGroup([(0, StoreListening(7))], [report(1)], [], [report(0, x=1)], FINISHED)
    assert pickle.loads(Attempt(group, storage, Console(), Timeouts()).supervise()) == "done"
    assert group.sent == [(1, Rendezvous(7)), (0, ReportStored(None)), (1, ReportStored(None))]
    assert storage.reports == [{"x": 1}]


def test_a_rank_that_keeps_the_others_waiting_is_named(storage: RunStorage, capsys: pytest.CaptureFixture[str]) -> None:
    group = ScriptedGroup([report(0, x=1)], [report(1)], FINISHED)
    Attempt(group, storage, Console(), Timeouts(warn_s=-1)).supervise()
    assert "Rank 0 has been waiting in report() for rank 1" in capsys.readouterr().err


def broadcast(rank: int, caller: str, data: str = "") -> tuple[int, Broadcast]:
    return rank, Broadcast(caller, data.encode())


def test_ranks_meet_in_collectives(storage: RunStorage) -> None:
    meetings = [[broadcast(1, "barrier()")], [broadcast(0, "broadcast_from_rank_zero()", "data")]]
    group = ScriptedGroup(*meetings, FINISHED)
    Attempt(group, storage, Console(), Timeouts()).supervise()
    assert group.sent == [(0, Broadcasted(b"data")), (1, Broadcasted(b"data"))]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([report(0, x=1), FINISHED[1]], r"Rank 0 called report\(\) once more, but the train function of rank 1 has"),
        ([broadcast(1, "barrier()"), FINISHED[0]], r"Rank 1 called barrier\(\) once more, but .* rank 0 has returned"),
        ([broadcast(1, "barrier()"), report(0, x=1)], r"Rank 0 called report\(\) where rank 1 called barrier\(\)"),
    ],
)
def test_ranks_that_never_meet_are_an_error(
    storage: RunStorage, events: list[tuple[int, WorkerEvent]], message: str
) -> None:
    with pytest.raises(WorkerGroupError, match=message):
        Attempt(ScriptedGroup(events), storage, Console(), Timeouts()).supervise()


@pytest.mark.parametrize(
    ("timeouts", "events", "message"),
    [
        (Timeouts(collective_s=0), [report(0, x=1)], r"Rank 0 waited in report\(\) for rank 1 for more than 0 s"),
        (Timeouts(hang_s=0), [FINISHED[0]], r"Nothing was heard of any rank for 0 s .* Rank 0 has returned"),
        (Timeouts(hang_s=0), [report(0, x=1)], r"Nothing was heard of any rank for 0 s"),
    ],
)
def test_a_rank_that_stays_away_is_blamed(
    storage: RunStorage, timeouts: Timeouts, events: list[tuple[int, WorkerEvent]], message: str
) -> None:
    with pytest.raises(AttemptFailed) as raised:
        Attempt(ScriptedGroup(events), storage, Console(), timeouts).supervise()
    [blamed] = raised.value.blamed
    assert blamed.rank == 1
    assert re.search(message + r".* It was here:\n  \(somewhere\)", str(blamed.error))


def test_a_rank_that_has_returned_is_named_to_those_that_wait(
    storage: RunStorage, capsys: pytest.CaptureFixture[str]
) -> None:
    Attempt(ScriptedGroup([FINISHED[1]], [FINISHED[0]]), storage, Console(), Timeouts(warn_s=-1)).supervise()
    assert "of rank 1 has returned, that of rank 0 has not" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["x", "0", "-1", "nan"])
def test_a_timeout_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TRAIN_RUNTIME_HANG_TIMEOUT_S", value)
    with pytest.raises(ValueError, match=f"TRAIN_RUNTIME_HANG_TIMEOUT_S='{value}'"):
        Timeouts.from_environment()


def test_a_worker_lost_after_it_finished_fails_the_attempt(storage: RunStorage) -> None:
    group = ScriptedGroup([FINISHED[0], (0, Exited(-9))])
    with pytest.raises(AttemptFailed) as raised:
        Attempt(group, storage, Console(), Timeouts()).supervise()
    assert [failure.rank for failure in raised.value.blamed] == [0]


def test_a_checkpoint_that_cannot_be_stored_is_a_training_failure(storage: RunStorage, tmp_path: Path) -> None:
    (tmp_path / "run" / ".a.incomplete").touch()
    group = ScriptedGroup([report(0, tmp_path / "reported", x=1), report(1)])
    with pytest.raises(TrainingFailedError, match="run cannot be stored in"):
        Attempt(group, storage, Console(), Timeouts()).supervise()


def test_output_goes_on_without_a_reader_and_with_any_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    monkeypatch.setattr(sys, "stdout", open(write, "w"))  # noqa: SIM115
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    console = Console()
    console.line("nobody reads this", "stdout")
    console.line("→")
    assert sys.stderr.buffer.getvalue() == b"\\u2192\n"
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.close()
