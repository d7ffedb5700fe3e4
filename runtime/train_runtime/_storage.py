"""One run's directory: its reports, its checkpoints, and what a later run of the same name continues from.

<storage_path>/<name>/
    checkpoint_manager_snapshot.json    which checkpoints are registered
    result.json                         one JSON object a report
    progress.csv                        the same as a table, with the first report's columns
    checkpoint_<time>/                  the files of all ranks
"""

from __future__ import annotations

import csv
import datetime
import json
import os
from typing import TYPE_CHECKING, Any

from train_runtime import _durable, _retention
from train_runtime._retention import Retained, TrackedCheckpoint
from train_runtime.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from train_runtime.config import CheckpointConfig

SNAPSHOT_NAME = "checkpoint_manager_snapshot.json"
_SNAPSHOT_VERSION = 1
_REPORTS_NAME = "result.json"
_PROGRESS_NAME = "progress.csv"


class RunStorage:
    """Registers reports and checkpoints under `path`; everything here runs in the driver."""

    def __init__(self, path: Path, checkpoint_config: CheckpointConfig) -> None:
        self.path = path
        self.reports: list[dict[str, Any]] = []
        self.last_report_had_checkpoint = False
        self._config = checkpoint_config
        self._retained = Retained()

    @classmethod
    def open(cls, path: Path, checkpoint_config: CheckpointConfig) -> RunStorage:
        """Create the run's directory, or take up the run that left its snapshot there.

        A run that never registered a checkpoint has nothing to continue from: its reports are dropped.
        """
        path.mkdir(parents=True, exist_ok=True)
        _durable.remove_leftovers(path)
        if (path / SNAPSHOT_NAME).exists():
            storage = cls.load(path, checkpoint_config)
            _durable.write_text(path / _REPORTS_NAME, "".join(map(_json_line, storage.reports)))
            return storage
        for name in (_REPORTS_NAME, _PROGRESS_NAME):
            (path / name).unlink(missing_ok=True)
        return cls(path, checkpoint_config)

    @classmethod
    def load(cls, path: Path, checkpoint_config: CheckpointConfig) -> RunStorage:
        """Read a run without changing it.

        Raises:
            RuntimeError: if the directory holds no run with a registered checkpoint, or another program's snapshot.
        """
        storage = cls(path, checkpoint_config)
        storage._retained = _read_snapshot(path)
        storage.last_report_had_checkpoint = True
        if (path / _REPORTS_NAME).exists():
            with (path / _REPORTS_NAME).open(encoding="utf-8") as file:
                # A driver that was killed while writing leaves a last line without its end.
                storage.reports = [json.loads(line) for line in file if line.endswith("\n")]
        return storage

    @property
    def latest(self) -> Checkpoint | None:
        """The checkpoint that a restart continues from."""
        return self._checkpoint(self._retained.latest) if self._retained.latest else None

    @property
    def best(self) -> list[tuple[Checkpoint, dict[str, Any]]]:
        """The retained checkpoints with their metrics, from worst to best, or by age without a score attribute."""
        return [(self._checkpoint(tracked), dict(tracked.metrics)) for tracked in self._retained.best]

    def record(self, metrics: dict[str, Any], sources: Sequence[Path], name: str | None) -> Checkpoint | None:
        """Store one report; `sources` are the directories that the ranks gave, in rank order, if any did.

        Raises:
            OSError: if the files cannot be copied.
        """
        self.reports.append(metrics)
        self.last_report_had_checkpoint = bool(sources)
        self._append_report(metrics)
        if not sources:
            return None
        name = name or f"checkpoint_{datetime.datetime.now():%Y-%m-%d_%H-%M-%S.%f}"
        _durable.merge_directories(sources, self.path / name)
        before = self._retained
        index = before.latest.index + 1 if before.latest else 0
        self._retained = _retention.register(before, TrackedCheckpoint(name, metrics, index), self._config)
        self._write_snapshot()
        for unwanted in before.names() - self._retained.names():
            _durable.remove_directory(self.path / unwanted)
        return self.latest

    def _checkpoint(self, tracked: TrackedCheckpoint) -> Checkpoint:
        return Checkpoint.from_directory(self.path / tracked.name)

    def _append_report(self, metrics: Mapping[str, Any]) -> None:
        with (self.path / _REPORTS_NAME).open("a", encoding="utf-8") as file:
            file.write(_json_line(metrics))
        progress = self.path / _PROGRESS_NAME
        if not progress.exists():
            with progress.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(metrics)
        with progress.open("r+", newline="", encoding="utf-8") as file:
            columns = next(csv.reader(file), [])
            file.seek(0, os.SEEK_END)
            csv.writer(file).writerow([metrics.get(column, "") for column in columns])

    def _write_snapshot(self) -> None:
        retained = self._retained
        snapshot = {
            "version": _SNAPSHOT_VERSION,
            "best": [vars(tracked) for tracked in retained.best],
            "latest": vars(retained.latest) if retained.latest else None,
        }
        _durable.write_text(self.path / SNAPSHOT_NAME, _to_json(snapshot, indent=1))


def _read_snapshot(path: Path) -> Retained:
    """What the snapshot lists, less the directories that somebody has deleted since."""
    file = path / SNAPSHOT_NAME
    if not file.exists():
        raise RuntimeError(f"{path} holds no run with a checkpoint: there is no {SNAPSHOT_NAME}.")
    snapshot = json.loads(file.read_text(encoding="utf-8"))
    if snapshot.get("version") != _SNAPSHOT_VERSION or "best" not in snapshot:
        raise RuntimeError(
            f"{file} was written by another program (Ray?) or a newer version. "
            "Choose another RunConfig(name=...), or move the directory away."
        )
    listed = [TrackedCheckpoint(**entry) for entry in [*snapshot["best"], snapshot["latest"]] if entry]
    present = [tracked for tracked in listed if (path / tracked.name).is_dir()]
    best = tuple(tracked for tracked in present if any(tracked.name == entry["name"] for entry in snapshot["best"]))
    unique = tuple({tracked.name: tracked for tracked in best}.values())
    return Retained(best=unique, latest=max(present, key=lambda tracked: tracked.index, default=None))


def _json_line(metrics: Mapping[str, Any]) -> str:
    return _to_json(metrics) + "\n"


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, default=_plain, indent=indent)


def _plain(value: Any) -> Any:
    """JSON for what metrics hold besides JSON's own types: numpy's numbers and arrays, else the value's text."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
