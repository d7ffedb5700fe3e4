"""One run's directory: its reports, its checkpoints, and what a later run of the same name continues from.

<storage_path>/<name>/
    checkpoint_manager_snapshot.json    which checkpoints are registered
    result.json                         one JSON object a report
    progress.csv                        the same as a table, with the first report's columns
    events.out.tfevents.*               the same for TensorBoard
    checkpoint_<time>/                  the files of all ranks
"""

from __future__ import annotations

import contextlib
import datetime
import errno
from typing import TYPE_CHECKING, Any

from train_runtime import _report_files, _retention, _snapshot
from train_runtime._report_files import ReportFiles
from train_runtime._retention import Retained, TrackedCheckpoint
from train_runtime._snapshot import Snapshot
from train_runtime._write_behind import DURABLE_NAME, WriteBehind

if TYPE_CHECKING:
    from types import TracebackType

    from train_runtime._folder import RunFolder
    from train_runtime.checkpoint import Checkpoint
    from train_runtime.config import CheckpointConfig

# A checkpoint and its replacement, both while the one before has not been deleted yet, and as much again to be sure.
_ROOM = 4


class StorageError(OSError):
    """The run's folder cannot take what it is given."""


class RunStorage:
    """Registers reports and checkpoints in a folder; everything here runs in the driver."""

    def __init__(self, folder: RunFolder, checkpoint_config: CheckpointConfig) -> None:
        self.folder = folder
        self.reports: list[dict[str, Any]] = []
        self.last_report_had_checkpoint = False
        self._config = checkpoint_config
        self._retained = Retained()
        self._files = ReportFiles(folder)
        self._write_behind = WriteBehind(folder)
        self._begun: str | None = None

    @classmethod
    def open(cls, folder: RunFolder, checkpoint_config: CheckpointConfig) -> RunStorage:
        """Create the run's directory, or take up the run that left its snapshot there.

        A run that never registered a checkpoint has nothing to continue from: its reports are dropped.

        Raises:
            StorageError: if the directory cannot be written to.
            RuntimeError: if it holds a run that cannot be continued.
        """
        storage = cls(folder, checkpoint_config)
        try:
            folder.create()
            snapshot, lost = _read_snapshot(folder)
            folder.recover(snapshot.retained.names())
            storage._retained = _present(snapshot.retained, folder)
            for name in lost:
                folder.delete(name)
            if storage._retained.latest is None:
                storage._files.start()
            else:
                storage.last_report_had_checkpoint = True
                storage.reports = storage._files.resume()
                if snapshot.boot is not None:
                    for name in storage._retained.names():
                        folder.sync(name)
                storage._settle_snapshot()
        except RuntimeError:
            raise
        except Exception as error:
            raise _explained(error, folder) from error
        return storage

    @classmethod
    def load(cls, folder: RunFolder) -> RunStorage:
        """Read a run without changing it, as if all its checkpoints were to be kept.

        Raises:
            RuntimeError: if the directory holds no run with a registered checkpoint, or another program's snapshot.
        """
        from train_runtime.config import CheckpointConfig

        storage = cls(folder, CheckpointConfig())
        if folder.read(_snapshot.NAME) is None:
            raise RuntimeError(f"{folder.path} holds no run with a checkpoint: there is no {_snapshot.NAME}.")
        storage._retained = _present(_read_snapshot(folder)[0].retained, folder)
        storage.last_report_had_checkpoint = True
        storage.reports = _report_files.read_reports(folder)
        return storage

    @property
    def latest(self) -> Checkpoint | None:
        """The checkpoint that a restart continues from."""
        return self.folder.checkpoint(self._retained.latest.name) if self._retained.latest else None

    @property
    def best(self) -> list[tuple[Checkpoint, dict[str, Any]]]:
        """The best checkpoints with their metrics, from worst to best, or by age without a score attribute."""
        return [self._with_metrics(tracked) for tracked in self._retained.best(self._config)]

    @property
    def retained(self) -> list[tuple[Checkpoint, dict[str, Any]]]:
        """As `best`, with the latest one even if it is none of them."""
        return [self._with_metrics(tracked) for tracked in self._retained.ordered]

    def record(self, metrics: dict[str, Any]) -> None:
        """Take a report without a checkpoint."""
        self.reports.append(metrics)
        self.last_report_had_checkpoint = False
        self._files.add(metrics)

    def begin(self, name: str | None) -> str:
        """Prepare for a checkpoint's files, and give its name.

        Raises:
            StorageError: if the folder cannot take them.
        """
        latest = self._retained.latest
        try:
            if self._write_behind.is_behind and (
                (name is not None and self.folder.has(name))
                or (latest is not None and not self.folder.has_room_for(_ROOM, latest.name))
            ):
                self._write_behind.drain()
            name = name or f"checkpoint_{datetime.datetime.now():%Y-%m-%d_%H-%M-%S.%f}"
            if name in self._retained.names() and not self.folder.replaces_at_once:
                self._unregister(name)
            if name not in self._retained.names() and self.folder.has(name):
                raise FileExistsError(errno.EEXIST, "There is something else of the checkpoint's name", name)
            self.folder.begin(name)
            self._begun = name
        except Exception as error:
            raise _explained(error, self.folder) from error
        return name

    def commit(self, name: str, metrics: dict[str, Any], stored_as: str | None) -> Checkpoint:
        """Register a checkpoint whose files are there, and give up those that it replaces.

        `name` is what `begin` gave. The workers persisted the files under it, or put them themselves where `stored_as`
        says.

        Raises:
            StorageError: if the folder cannot take it: what was registered before still is.
        """
        before = self._retained
        try:
            self._write_behind.check()
            if stored_as is None:
                self.folder.commit(name)
            tracked = TrackedCheckpoint(stored_as or name, metrics, len(self.reports))
            self._retained = _retention.register(before, tracked, self._config)
            self.reports.append(metrics)
            self._files.add(metrics)
            self._files.flush()
            kept = self._retained.names()
            doomed = (before.names() | self._write_behind.doomed) - kept
            snapshot = Snapshot(self._retained, len(self.reports), self.folder.boot(), frozenset(doomed))
            self.folder.write(_snapshot.NAME, snapshot.to_text())
            self.folder.settle(name)
        except Exception as error:
            self._retained = before
            self.abandon()
            raise _explained(error, self.folder) from error
        self._begun = None
        self.last_report_had_checkpoint = True
        self._write_behind.submit(snapshot, tracked.name)
        return self.folder.checkpoint(tracked.name)

    def abandon(self) -> None:
        """Leave nothing of a checkpoint that was begun and will not be committed, once nobody writes to it any more."""
        name, self._begun = self._begun, None
        if name is not None:
            if name not in self._retained.names():
                self.folder.delete(name)
            self.folder.abort(name)

    def flush_if_due(self) -> None:
        """Write reports that have waited for long enough.

        Raises:
            StorageError: if the folder cannot take them.
        """
        try:
            self._files.flush_if_due()
        except Exception as error:
            raise _explained(error, self.folder) from error

    def close(self) -> None:
        """Write what waits, and wait until everything has reached the disk.

        Raises:
            StorageError: if the folder cannot take it.
        """
        try:
            self._files.flush()
            self._write_behind.drain()
            if self._retained.latest is not None:
                self._settle_snapshot()
        except Exception as error:
            raise _explained(error, self.folder) from error

    def __enter__(self) -> RunStorage:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is None:
            self.close()
        elif isinstance(exc, Exception):
            with contextlib.suppress(StorageError):
                self.close()
        else:  # somebody wants this process to end: what has not reached the disk is the system's to keep
            with contextlib.suppress(Exception):
                self._files.flush()

    def _unregister(self, name: str) -> None:
        """Let a checkpoint be absent while its files are replaced one by one."""
        ordered = tuple(tracked for tracked in self._retained.ordered if tracked.name != name)
        latest = max(ordered, key=lambda tracked: tracked.index, default=None)
        self._retained = Retained(ordered, latest)
        self.folder.write(_snapshot.NAME, Snapshot(self._retained, len(self.reports)).to_text())
        self.folder.delete(name)

    def _settle_snapshot(self) -> None:
        """Write the snapshot of checkpoints that are all on the disk."""
        snapshot = Snapshot(self._retained, len(self.reports))
        self.folder.write(_snapshot.NAME, snapshot.to_text(), sync=True)
        self.folder.remove(DURABLE_NAME)

    def _with_metrics(self, tracked: TrackedCheckpoint) -> tuple[Checkpoint, dict[str, Any]]:
        return self.folder.checkpoint(tracked.name), dict(tracked.metrics)


def _read_snapshot(folder: RunFolder) -> tuple[Snapshot, set[str]]:
    """What is surely on the disk, and the names of what is to be deleted or may be torn.

    Raises:
        RuntimeError: if the file cannot be understood.
    """
    text, durable_text = folder.read(_snapshot.NAME), folder.read(DURABLE_NAME)
    nothing = Snapshot(Retained(), 0)
    try:
        written = Snapshot.from_text(text) if text else nothing
    except ValueError as error:
        if durable_text is None:
            raise RuntimeError(
                f"{folder.path}/{_snapshot.NAME} is no list of checkpoints of this version ({error}). "
                "Choose another RunConfig(name=...), or move the directory away."
            ) from error
        written = nothing
    if written.boot in (None, folder.boot()) and written is not nothing:
        trusted = written
    else:
        trusted = Snapshot.from_text(durable_text) if durable_text else nothing
    lost = (written.retained.names() | written.doomed | trusted.doomed) - trusted.retained.names()
    return trusted, lost


def _present(retained: Retained, folder: RunFolder) -> Retained:
    """Less the checkpoints that somebody has deleted."""
    there = tuple(tracked for tracked in retained.ordered if folder.has(tracked.name))
    return Retained(there, max(there, key=lambda tracked: tracked.index, default=None))


def _explained(error: Exception, folder: RunFolder) -> StorageError:
    """The error with the run's folder and what to do; the libraries behind URLs raise what they like."""
    return StorageError(
        getattr(error, "errno", None) or errno.EIO,
        f"The run cannot be stored in {folder.path}: {error}. What was stored before is kept. "
        "Make room there or let it be written to, or choose another RunConfig(storage_path=...), and run it again",
    )
