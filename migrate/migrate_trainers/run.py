"""One run over files: find them, migrate what is legacy in them, and write it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrate_trainers.changes import without_uncommitted, write
from migrate_trainers.discovery import Selection, files_around, find_files
from migrate_trainers.files import FilesOnDisk
from migrate_trainers.findings import Kind
from migrate_trainers.progress import unwatched
from migrate_trainers.project import migrate_project
from migrate_trainers.reporting.report import Mode, Report
from migrate_trainers.versions import Projects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from migrate_trainers.findings import FileResult
    from migrate_trainers.progress import Watch
    from migrate_trainers.selection import Rules
    from migrate_trainers.settings import Settings


@dataclass(frozen=True)
class Run:
    """What a run does with the files that it finds."""

    selection: Selection
    settings: Settings
    mode: Mode
    allow_dirty: bool = False
    interactive: bool = False
    watch: Watch = unwatched

    def __call__(self, paths: Sequence[Path], hits: Mapping[str, bytes] | None = None) -> Report:
        """The report on the files among and below some paths, which are rewritten if the run is one in place.

        `hits` are those with a legacy name, where the paths are all files and have been searched.
        """
        found = find_files(paths, self.selection)
        files = FilesOnDisk(found.names, found.named, hits)
        around = FilesOnDisk(files_around(paths))
        processes = 1 if self.interactive else _processors()
        projects = Projects(self.settings)
        results = migrate_project(
            files,
            self.settings,
            around,
            settings_of=projects.settings_of,
            processes=processes,
            watch=self.watch,
        )
        results = {path: projects.with_target(path, result) for path, result in results.items()}
        if self.mode is Mode.IN_PLACE:
            results = self._written(results, found.named)
        return Report(results, len(files), self.mode)

    def _written(self, results: dict[Path, FileResult], named: frozenset[str]) -> dict[Path, FileResult]:
        if not self.allow_dirty:
            results = without_uncommitted(results, named)
        if self.interactive:
            # Imported late: only who is asked pays for the diffs.
            from migrate_trainers.interactive import ask

            results = ask(results)
        return write(results, self.watch)


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def without_hidden(report: Report, rules: Rules) -> Report:
    """A report without the findings that nobody wants to hear of; what needs a person is always told."""
    if not rules.ignore:
        return report
    return replace(report, results={path: _without_hidden(result, rules) for path, result in report.results.items()})


def _without_hidden(result: FileResult, rules: Rules) -> FileResult:
    shown = (one for one in result.findings if one.kind in (Kind.MANUAL, Kind.ERROR) or not rules.hides(one.code))
    return replace(result, findings=tuple(shown))
