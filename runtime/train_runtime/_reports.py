"""The driver's part in `report`: what all ranks have reported is stored, and they are let go on.

A checkpoint takes two steps: the ranks are told its name, and store their parts at the same time; once all of them are
there, it is registered.
"""

from __future__ import annotations

import os
import pickle
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from train_runtime._messages import CheckpointList, CheckpointStored, ListCheckpoints, Persist, Persisted, ReportStored
from train_runtime._progress import WorkerState
from train_runtime._storage import StorageError
from train_runtime.errors import TrainingFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from train_runtime._callbacks import Callbacks
    from train_runtime._messages import Report
    from train_runtime._output import Console
    from train_runtime._storage import RunStorage
    from train_runtime._worker_group import WorkerGroup
    from train_runtime.checkpoint import Checkpoint


@dataclass
class _Storing:
    """A checkpoint whose parts are being stored; `awaited` are the ranks that have not stored theirs."""

    name: str
    reports: Sequence[Report]
    metrics: dict[str, Any]
    is_waited_for: bool
    awaited: set[int]
    stored_as: set[str | None] = field(default_factory=set)
    has_failed: bool = False


class Reports:
    """Stores one attempt's reports."""

    def __init__(self, group: WorkerGroup, storage: RunStorage, console: Console, callbacks: Callbacks | None) -> None:
        self._group = group
        self._storage = storage
        self._console = console
        self._callbacks = callbacks
        self._storing: _Storing | None = None

    def store(self, reports: Sequence[Report]) -> None:
        """Take what all ranks have reported, by rank.

        Raises:
            TrainingFailedError: if it cannot be stored.
        """
        assert reports[0].metrics is not None
        metrics: dict[str, Any] = pickle.loads(reports[0].metrics)
        if all(report.source is None for report in reports):
            self._group.broadcast(ReportStored(None))
            self._storage.record(metrics)
            self._tell(reports, metrics, None)
            return
        try:
            name = self._storage.begin(reports[0].checkpoint_dir_name)
        except StorageError as error:
            raise TrainingFailedError(str(error)) from error
        is_waited_for = not any(report.is_async for report in reports)
        registered = {os.path.realpath(checkpoint.path) for checkpoint, _ in self._storage.retained}
        # Ranks may name the same directory; its files need only be stored once.
        first = {report.source: rank for rank, report in reversed(list(enumerate(reports))) if report.source}
        self._storing = _Storing(name, reports, metrics, is_waited_for, set(first.values()))
        for rank, report in enumerate(reports):
            self._group.send(
                rank,
                Persist(
                    name,
                    is_yours=rank in self._storing.awaited,
                    is_waited_for=is_waited_for,
                    keeps_source=report.source is not None and os.path.realpath(report.source) in registered,
                ),
            )

    def receive(self, rank: int, message: Persisted | ListCheckpoints) -> None:
        """Serve one rank.

        Raises:
            TrainingFailedError: if the checkpoint whose last part came cannot be registered.
        """
        if isinstance(message, ListCheckpoints):
            self._group.send(rank, CheckpointList(self._storage.retained))
            return
        storing = self._storing
        assert storing is not None, message
        storing.awaited.discard(rank)
        storing.has_failed |= message.has_failed
        storing.stored_as.add(message.stored_as)
        if not storing.awaited:
            self._storing = None
            self._finish(storing)

    def flush_if_due(self) -> None:
        """Have reports written that have waited for long enough.

        Raises:
            TrainingFailedError: if they cannot be.
        """
        try:
            self._storage.flush_if_due()
        except StorageError as error:
            raise TrainingFailedError(str(error)) from error

    def _finish(self, storing: _Storing) -> None:
        """All parts are there, or a rank could not store its own, which its train function may survive."""
        if storing.has_failed:
            self._storage.abandon()
            self._storage.record(storing.metrics)
            checkpoint = None
        else:
            if len(storing.stored_as) > 1:
                raise TrainingFailedError(
                    f"The ranks stored the parts of one checkpoint in different places: {storing.stored_as}. "
                    "Have checkpoint_upload_fn store them under the name that it is given, on every rank."
                )
            try:
                checkpoint = self._storage.commit(storing.name, storing.metrics, storing.stored_as.pop())
            except StorageError as error:
                raise TrainingFailedError(str(error)) from error
        name = self._storage.folder.name_of(checkpoint) if checkpoint else None
        self._group.broadcast(ReportStored(name) if storing.is_waited_for else CheckpointStored(name))
        self._tell(storing.reports, storing.metrics, checkpoint)

    def _tell(self, reports: Sequence[Report], metrics: dict[str, Any], checkpoint: Checkpoint | None) -> None:
        """Show the report, and hand it to the user's callbacks."""
        self._console.workers(self._group.size, WorkerState.RUNNING)
        name = posixpath.basename(checkpoint.path) if checkpoint else None
        self._console.report(len(self._storage.reports), metrics, name)
        if self._callbacks:
            everybodys = [pickle.loads(report.metrics) for report in reports if report.metrics is not None]
            self._callbacks.after_report(everybodys, checkpoint)
