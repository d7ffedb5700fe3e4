"""Runs a plan: starts the worker group, stores its reports, restarts it after failures, hands over the result.

One attempt goes RUNNING → FINISHED, or RUNNING → FAILED; a failed attempt is followed by another one, which continues
from the latest checkpoint, as long as the plan's failure budget lasts.
"""

from __future__ import annotations

import contextlib
import enum
import pickle
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train_runtime import _blame
from train_runtime._messages import (
    Assignment,
    DatasetFolder,
    Failed,
    Finished,
    ProcessGroupSpec,
    Rendezvous,
    Report,
    ReportStored,
    Shutdown,
    StoreListening,
    WorkerSpec,
)
from train_runtime._output import Console, describe_report
from train_runtime._storage import RunStorage
from train_runtime._worker_group import Exited, WorkerEvent, WorkerGroup
from train_runtime.errors import TrainingFailedError, WorkerGroupError
from train_runtime.result import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from train_runtime._blame import Failure
    from train_runtime._placement import Placement
    from train_runtime.checkpoint import Checkpoint
    from train_runtime.config import CheckpointConfig

_SHUTDOWN_S = 30.0
_BARRIER_WARNING_S = 60.0


@dataclass(frozen=True)
class RunPlan:
    """Everything that `fit()` decided before a process is started."""

    name: str
    path: Path
    train_function: bytes
    placements: Sequence[Placement]
    process_group: ProcessGroupSpec
    checkpoint_config: CheckpointConfig
    max_failures: int
    metadata: dict[str, Any]
    resume_from: Checkpoint | None
    datasets: Mapping[str, Any]
    datasets_to_split: frozenset[str] | None
    serve_ray: bool
    argv: tuple[str, ...]
    sources: dict[str, list[str]]


def run(plan: RunPlan) -> Result:
    """Run the plan to its end.

    Raises:
        WorkerGroupError: if workers failed more often than the plan allows.
        TrainingFailedError: if a checkpoint could not be stored.
    """
    console = Console()
    storage = RunStorage.open(plan.path, plan.checkpoint_config)
    if storage.latest is not None:
        console.line(
            f"Continuing the run {plan.name!r} in {plan.path} from {Path(storage.latest.path).name}; "
            "give RunConfig another name to start anew."
        )
    failures_left = plan.max_failures
    try:
        with _working_directory(plan.name, console) as directory, _stored_datasets(plan) as datasets:
            while True:
                try:
                    return_value = _attempt(plan, storage, directory, datasets, console)
                    break
                except _AttemptFailed as failed:
                    if failures_left == 0:
                        raise _blame.to_error(failed.blamed) from failed.blamed[0].error
                    failures_left -= 1
                    console.line(_describe_restart(failed.blamed, storage))
    finally:
        console.close()
    if storage.reports and not storage.last_report_had_checkpoint:
        _note_metrics_without_checkpoint(console)
    return Result.from_storage(storage, pickle.loads(return_value))


def _attempt(plan: RunPlan, storage: RunStorage, directory: Path, datasets: Path | None, console: Console) -> bytes:
    """Run one worker group to its end and give rank 0's pickled return value."""
    with WorkerGroup.start(plan.placements, directory, console) as group:
        for rank, assignment in enumerate(_assignments(plan, storage, datasets)):
            group.send(rank, assignment)
        attempt = _Attempt(group, storage, console)
        return_value = attempt.supervise()
        group.broadcast(Shutdown())
        group.join(_SHUTDOWN_S)
    return return_value


def _assignments(plan: RunPlan, storage: RunStorage, datasets: Path | None) -> list[Assignment]:
    checkpoint = storage.latest or plan.resume_from
    folder = None
    if datasets is not None:
        folder = DatasetFolder(str(datasets), tempfile.mkdtemp(dir=datasets), plan.datasets_to_split)
    return [
        Assignment(
            worker=WorkerSpec(
                rank=rank,
                world_size=len(plan.placements),
                device_indices=placement.device_indices,
                experiment_name=plan.name,
                run_path=str(plan.path),
                metadata=plan.metadata,
            ),
            process_group=plan.process_group,
            train_function=plan.train_function,
            checkpoint_path=checkpoint.path if checkpoint else None,
            datasets=folder,
            serve_ray=plan.serve_ray,
            argv=plan.argv,
            sources=plan.sources,
        )
        for rank, placement in enumerate(plan.placements)
    ]


class _AttemptFailed(Exception):
    """The attempt's workers failed; `blamed` is never empty."""

    def __init__(self, blamed: list[Failure]) -> None:
        super().__init__(blamed)
        self.blamed = blamed


class _State(enum.Enum):
    RUNNING = enum.auto()
    FAILED = enum.auto()
    FINISHED = enum.auto()


class _Attempt:
    """What is known about one worker group while it runs."""

    def __init__(self, group: WorkerGroup, storage: RunStorage, console: Console) -> None:
        self._group = group
        self._storage = storage
        self._console = console
        self._waiting: dict[int, Report] = {}
        self._finished: dict[int, Finished] = {}
        self._failures: dict[int, Failure] = {}
        self._warn_at = float("inf")

    def supervise(self) -> bytes:
        """Serve the workers until all train functions have returned.

        Raises:
            _AttemptFailed: if a worker failed.
            WorkerGroupError: if the ranks did not report equally often, which a restart would not change.
        """
        while (state := self._state()) is _State.RUNNING:
            for rank, event in self._group.events():
                self._receive(rank, event)
            self._check_barrier()
        if state is _State.FAILED:
            deadline = time.monotonic() + _blame.GRACE_S
            while self._group.is_listening and (left := deadline - time.monotonic()) > 0:
                for rank, event in self._group.events(left):
                    self._receive_failure(rank, event)
            raise _AttemptFailed(_blame.culprits(self._failures.values()))
        return_value = self._finished[0].return_value
        assert return_value is not None
        return return_value

    def _state(self) -> _State:
        if self._failures:
            return _State.FAILED
        return _State.FINISHED if len(self._finished) == self._group.size else _State.RUNNING

    def _receive(self, rank: int, event: WorkerEvent) -> None:
        match event:
            case StoreListening(port):
                for peer in range(1, self._group.size):
                    self._group.send(peer, Rendezvous(port))
            case Report():
                self._waiting[rank] = event
                self._warn_at = min(self._warn_at, time.monotonic() + _BARRIER_WARNING_S)
                if len(self._waiting) == self._group.size:
                    self._store_report()
            case Finished():
                self._finished[rank] = event
            case _:
                self._receive_failure(rank, event)

    def _receive_failure(self, rank: int, event: WorkerEvent) -> None:
        match event:
            case Failed():
                self._failures.setdefault(rank, _blame.raised(rank, event))
            case Exited(returncode):
                self._failures.setdefault(rank, _blame.died(rank, returncode))

    def _store_report(self) -> None:
        """All ranks have reported: keep rank 0's metrics and all ranks' files, and let everybody go on."""
        reports = [self._waiting[rank] for rank in range(self._group.size)]
        self._waiting.clear()
        self._warn_at = float("inf")
        assert reports[0].metrics is not None
        metrics: dict[str, Any] = pickle.loads(reports[0].metrics)
        # Ranks may name the same directory; its files need only be copied once.
        sources = dict.fromkeys(Path(report.checkpoint_path) for report in reports if report.checkpoint_path)
        try:
            checkpoint = self._storage.record(metrics, list(sources), reports[0].checkpoint_dir_name)
        except OSError as error:
            raise TrainingFailedError(f"The report could not be stored in {self._storage.path}: {error}") from error
        name = Path(checkpoint.path).name if checkpoint else None
        self._console.progress(describe_report(len(self._storage.reports), metrics, name))
        self._group.broadcast(ReportStored(checkpoint.path if checkpoint else None))

    def _check_barrier(self) -> None:
        """Report is a barrier: a rank that has returned can never come to it."""
        if self._waiting and self._finished and not self._failures:
            message = (
                f"Rank {_listed(self._waiting)} called report() once more, but the train function of rank "
                f"{_listed(self._finished)} has returned. Call report() equally often on every rank."
            )
            error = RuntimeError(message)
            raise WorkerGroupError(message, dict.fromkeys(self._waiting, error)) from error
        if time.monotonic() > self._warn_at:
            missing = [rank for rank in range(self._group.size) if rank not in self._waiting]
            self._warn_at = time.monotonic() + _BARRIER_WARNING_S
            self._console.line(
                f"Rank {_listed(self._waiting)} has been waiting in report() for rank {_listed(missing)} for "
                f"{_BARRIER_WARNING_S:g} s. Every rank must call report() equally often."
            )


def _listed(ranks: Sequence[int] | dict[int, Any]) -> str:
    return ", ".join(str(rank) for rank in sorted(ranks))


def _describe_restart(blamed: list[Failure], storage: RunStorage) -> str:
    first = blamed[0]
    start = f"from {Path(storage.latest.path).name}" if storage.latest else "from the beginning"
    return f"{first.details}\nRank {first.rank} failed: {first.summary}\nStarting the workers again, {start}."


@contextlib.contextmanager
def _working_directory(run_name: str, console: Console) -> Iterator[Path]:
    """The workers' current directory, shared, and outside the run as on Ray; kept only if something was written."""
    session = Path(tempfile.mkdtemp(prefix="train_runtime_"))
    directory = session / "artifacts" / run_name
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        try:
            for empty in [directory, *directory.parents]:
                if session in (empty, *empty.parents):
                    empty.rmdir()
        except OSError:
            console.line(f"Files that the workers wrote to relative paths are in {directory}")


@contextlib.contextmanager
def _stored_datasets(plan: RunPlan) -> Iterator[Path | None]:
    """The folder in which the workers find the datasets, while the run lasts; None if there are none."""
    if not plan.datasets:
        yield None
        return
    from train_runtime.data import _shards

    with tempfile.TemporaryDirectory(prefix="train_runtime_data_") as folder:
        _shards.store(plan.datasets, Path(folder))
        yield Path(folder)


def _note_metrics_without_checkpoint(console: Console) -> None:
    if not _Noted.metrics_without_checkpoint:
        _Noted.metrics_without_checkpoint = True
        console.line(
            "Note: the last report had no checkpoint. Result.metrics holds it nevertheless; Ray 2.60 keeps only the "
            "metrics that were reported with a checkpoint."
        )


class _Noted:
    """What this process has been told already."""

    metrics_without_checkpoint = False
