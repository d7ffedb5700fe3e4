"""The files that hold every report: `result.json`, `progress.csv` and TensorBoard's events.

Reports wait in memory for a moment, so that a report costs no file access: a driver that is killed loses those of the
last `flush_interval_s`, never one that a checkpoint followed.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import time
from typing import TYPE_CHECKING, Any

from train_runtime import _events
from train_runtime._metrics import flatten, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from train_runtime._folder import RunFolder

REPORTS_NAME = "result.json"
PROGRESS_NAME = "progress.csv"


class ReportFiles:
    """The files of reports in one run's folder."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._pending: list[tuple[Mapping[str, Any], float]] = []
        self._flushed_at = 0.0
        self._written = 0
        self._columns: list[str] | None = None
        self._events_name: str | None = None

    def start(self) -> None:
        """Begin new files: those of a run that left no checkpoint are deleted."""
        for name in (REPORTS_NAME, PROGRESS_NAME, _events.PATTERN):
            self._folder.remove(name)

    def resume(self) -> list[dict[str, Any]]:
        """The reports so far, which are gone on with; a last line without its end, of a killed driver, is dropped."""
        reports = read_reports(self._folder)
        self._folder.write(REPORTS_NAME, "".join(f"{to_json(metrics)}\n" for metrics in reports))
        self._written = len(reports)
        header = (self._folder.read(PROGRESS_NAME) or "").splitlines()[:1]
        self._columns = next(csv.reader(header), None)
        return reports

    def add(self, metrics: Mapping[str, Any]) -> None:
        """Take a report; it is written within `flush_interval_s` if `flush_if_due` is called as often."""
        self._pending.append((metrics, time.time()))

    def flush_if_due(self) -> None:
        """Write what waits if that has not been done for the interval."""
        if self._pending and time.monotonic() - self._flushed_at > self._folder.flush_interval_s:
            self.flush()

    def flush(self) -> None:
        """Write what waits.

        Raises:
            OSError: if the folder cannot take it.
        """
        pending, self._pending = self._pending, []
        if pending:
            reports = [metrics for metrics, _ in pending]
            self._folder.append(REPORTS_NAME, "".join(f"{to_json(metrics)}\n" for metrics in reports).encode())
            self._folder.append(PROGRESS_NAME, self._progress(reports).encode())
            self._append_events(pending)
            self._written += len(pending)
        self._flushed_at = time.monotonic()

    def _progress(self, reports: Sequence[Mapping[str, Any]]) -> str:
        """Lines of the table, which has the first report's columns."""
        text = io.StringIO()
        writer = csv.writer(text)
        for metrics in reports:
            row = flatten(metrics)
            if self._columns is None:
                self._columns = list(row)
                writer.writerow(self._columns)
            writer.writerow([row.get(column, "") for column in self._columns])
        return text.getvalue()

    def _append_events(self, pending: Sequence[tuple[Mapping[str, Any], float]]) -> None:
        data = b"".join(
            _events.scalars(metrics, step, wall_time)
            for step, (metrics, wall_time) in enumerate(pending, start=self._written + 1)
        )
        if data and self._events_name is None:
            self._events_name = _events.file_name()
            data = _events.file_header() + data
        if self._events_name is not None and data:
            self._folder.append(self._events_name, data)


def read_reports(folder: RunFolder) -> list[dict[str, Any]]:
    """The reports that a run has written; what a power failure made of the file's end is left out."""
    reports = []
    for line in (folder.read(REPORTS_NAME) or "").splitlines(keepends=True):
        if line.endswith("\n"):
            with contextlib.suppress(ValueError):
                reports.append(json.loads(line))
    return reports
