"""Runs a plan: starts a worker group, after a failure another one from the latest checkpoint, and gives the result."""

from __future__ import annotations

import logging
import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train_runtime import _blame, _termination
from train_runtime._attempt import Attempt, AttemptFailed
from train_runtime._callbacks import Callbacks
from train_runtime._logs import WorkerLogs, log_directory
from train_runtime._messages import Assignment, DatasetFolder, ProcessGroupSpec, Shutdown, WorkerSpec
from train_runtime._output import Console
from train_runtime._progress import WorkerState
from train_runtime._scratch import Scratch
from train_runtime._storage import RunStorage, StorageError
from train_runtime._worker_group import WorkerGroup
from train_runtime.errors import TrainingFailedError, WorkerGroupError
from train_runtime.result import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from train_runtime._blame import Failure
    from train_runtime._folder import RunFolder
    from train_runtime._placement import Placement
    from train_runtime._timeouts import Timeouts
    from train_runtime.callback import TrainRunContext, UserCallback
    from train_runtime.checkpoint import Checkpoint
    from train_runtime.config import CheckpointConfig

_SHUTDOWN_S = 30.0


@dataclass(frozen=True)
class RunPlan:
    """Everything that `fit()` decided before a process is started."""

    name: str
    folder: RunFolder
    train_function: bytes
    placements: Sequence[Placement]
    process_group: ProcessGroupSpec
    checkpoint_config: CheckpointConfig
    max_failures: int
    callbacks: Sequence[UserCallback]
    context: TrainRunContext
    log_level: int
    metadata: dict[str, Any]
    resume_from: Checkpoint | None
    datasets: Mapping[str, Any]
    datasets_to_split: frozenset[str] | None
    serve_ray: bool
    argv: tuple[str, ...]
    sources: dict[str, list[str]]
    timeouts: Timeouts


def run(plan: RunPlan) -> Result:
    """Run the plan to its end.

    Raises:
        WorkerGroupError: if workers failed more often than the plan allows.
        ControllerError: if a callback raised.
        TrainingFailedError: if the run could not be stored, or the return value not be unpickled.
    """
    logs = None if plan.folder.is_remote else WorkerLogs(log_directory(Path(plan.folder.path)))
    try:
        with (
            _termination.clean(),
            Console(plan.name, quiet=plan.log_level > logging.INFO, logs=logs) as console,
            RunStorage.open(plan.folder, plan.checkpoint_config) as storage,
        ):
            if storage.latest is not None:
                console.note(
                    f"Continuing the run {plan.name!r} in {plan.folder.path} from {Path(storage.latest.path).name}; "
                    "give RunConfig another name to start anew."
                )
            callbacks = Callbacks(plan.callbacks, plan.context, console)
            with Scratch.make(plan.name, console) as scratch:
                datasets = _stored_datasets(plan, scratch)
                return_value = _attempts(plan, storage, scratch, datasets, console, callbacks)
    except StorageError as error:
        raise TrainingFailedError(str(error)) from error
    if storage.reports and not storage.last_report_had_checkpoint:
        _note_metrics_without_checkpoint(console)
    return Result.from_storage(storage, _unpickled(return_value))


def _unpickled(return_value: bytes) -> Any:
    try:
        return pickle.loads(return_value)
    except Exception as error:
        raise TrainingFailedError(
            f"The driver cannot make the train function's return value from what the worker has pickled: {error!r}"
        ) from error


def _attempts(
    plan: RunPlan, storage: RunStorage, scratch: Scratch, datasets: Path | None, console: Console, callbacks: Callbacks
) -> bytes:
    """Run worker groups until one gets to its end, and give rank 0's pickled return value."""
    failures_left = plan.max_failures
    console.workers(len(plan.placements), WorkerState.STARTING)
    while True:
        try:
            return _attempt(plan, storage, scratch, datasets, console, callbacks)
        except AttemptFailed as failed:
            callbacks.after_exception({failure.rank: failure.error for failure in failed.blamed})
            if failures_left == 0:
                raise _blame.to_error(failed.blamed) from failed.blamed[0].error
            failures_left -= 1
            console.line(_describe_restart(failed.blamed, storage))
            console.restart(len(plan.placements))
        except WorkerGroupError as error:  # what another attempt would not change
            callbacks.after_exception(error.worker_failures)
            raise
        finally:
            storage.abandon()


def _attempt(
    plan: RunPlan, storage: RunStorage, scratch: Scratch, datasets: Path | None, console: Console, callbacks: Callbacks
) -> bytes:
    """Run one worker group to its end and give rank 0's pickled return value."""
    with WorkerGroup.start(plan.placements, scratch, console) as group:
        for rank, assignment in enumerate(_assignments(plan, storage, datasets, group)):
            group.send(rank, assignment)
        return_value = Attempt(group, storage, console, plan.timeouts, callbacks).supervise()
        group.broadcast(Shutdown())
        group.join(_SHUTDOWN_S)
    return return_value


def _assignments(plan: RunPlan, storage: RunStorage, datasets: Path | None, group: WorkerGroup) -> list[Assignment]:
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
                folder=plan.folder,
                metadata=plan.metadata,
                reports_metrics=rank == 0 or bool(plan.callbacks),
            ),
            process_group=plan.process_group,
            train_function=plan.train_function,
            checkpoint=checkpoint,
            datasets=folder,
            serve_ray=plan.serve_ray,
            argv=plan.argv,
            sources=plan.sources,
            stacks_file=str(group.stacks_file(rank)),
        )
        for rank, placement in enumerate(plan.placements)
    ]


def _describe_restart(blamed: list[Failure], storage: RunStorage) -> str:
    first = blamed[0]
    start = f"from {Path(storage.latest.path).name}" if storage.latest else "from the beginning"
    return f"{first.details}\nRank {first.rank} failed: {first.summary}\nStarting the workers again, {start}."


def _stored_datasets(plan: RunPlan, scratch: Scratch) -> Path | None:
    """The folder in which the workers find the datasets; None if there are none."""
    if not plan.datasets:
        return None
    from train_runtime.data import _shards

    folder = scratch.private_folder("datasets")
    _shards.store(plan.datasets, folder)
    return folder


def _note_metrics_without_checkpoint(console: Console) -> None:
    if not _Noted.metrics_without_checkpoint:
        _Noted.metrics_without_checkpoint = True
        console.note(
            "Note: the last report had no checkpoint. Result.metrics holds it nevertheless; Ray 2.60 keeps only the "
            "metrics that were reported with a checkpoint."
        )


class _Noted:
    """What this process has been told already."""

    metrics_without_checkpoint = False
