"""Putting what a run has rewritten in place, where nothing speaks against it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from migrate_trainers.file_findings import file_finding
from migrate_trainers.files import replace_files
from migrate_trainers.progress import unwatched
from migrate_trainers.repository import uncommitted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from migrate_trainers.findings import FileResult, Finding
    from migrate_trainers.progress import Watch

Results = dict["Path", "FileResult"]


def groups(results: Mapping[Path, FileResult]) -> Iterator[Results]:
    """What changes, by files that all change or none does."""
    pending = {path: result for path, result in results.items() if result.changed}
    while pending:
        first = next(iter(pending))
        yield {path: pending.pop(path) for path in sorted(pending[first].together or {first})}


def write(results: Mapping[Path, FileResult], watch: Watch = unwatched) -> Results:
    """Write what has changed; files that belong together are all written, or all left with a finding."""
    written = dict(results)
    changed = list(groups(results))
    for group in watch(changed, len(changed), "Writing"):
        try:
            replace_files({path: (result.before, result.after) for path, result in group.items()})
        except OSError as error:
            written |= left(group, dict.fromkeys(group, file_finding("MT902", error.strerror or str(error))))
    return written


def without_uncommitted(results: Mapping[Path, FileResult], taken: Iterable[str]) -> Results:
    """The results without changes of files that git could not take back; those in `taken` may change all the same."""
    remaining = dict(results)
    taken = frozenset(taken)
    reasons = uncommitted(path for path, result in results.items() if result.changed and str(path) not in taken)
    for group in groups(results):
        why = {path: file_finding("MT909", f"it {reasons[path]}") for path in group if path in reasons}
        if why:
            first = next(iter(why))
            other = file_finding("MT906", f"`{first}` {reasons[first]}")
            remaining |= left(group, {path: why.get(path, other) for path in group})
    return remaining


def left(group: Results, findings: Mapping[Path, Finding]) -> Results:
    """The results for files that stay as they are, each with a finding that says why."""
    return {
        path: replace(result, after=result.before, migrated=0, findings=(findings[path],))
        for path, result in group.items()
    }
