"""Many sources at once: files that depend on each other are migrated together, or not at all."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from migrate_trainers.engine import migrate_source
from migrate_trainers.file_findings import file_finding
from migrate_trainers.files import hits as hits_among
from migrate_trainers.findings import FileResult
from migrate_trainers.progress import unwatched
from migrate_trainers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from migrate_trainers.progress import Watch


def migrate_project(
    files: Mapping[Path, bytes],
    settings: Settings | None = None,
    others: Mapping[Path, bytes] | None = None,
    read_data: Callable[[Path], bytes] = Path.read_bytes,
    settings_of: Callable[[Path], Settings] | None = None,
    *,
    processes: int = 1,
    watch: Watch = unwatched,
) -> dict[Path, FileResult]:
    """Rewrite the legacy trainers in some files; the results of those that have any, or change with them.

    `others` are files around them that may be read, and stay as they are. Both may read a file when it is asked for
    (and raise `OSError`): each is read once, unless a legacy trainer depends on other files. `read_data` gives what a
    configuration file holds that a program names, by its absolute path; `settings_of` the settings for one of
    the files, where they are of several projects. Nothing is written.

    Where there is much to search or to migrate it is done in so many `processes`, which are given all of this; `watch`
    sees how far it is.
    """
    own = settings_of or partial(_settings_of_all, settings or Settings())
    results: dict[Path, FileResult] = {}
    hits: dict[Path, bytes] = {}
    for path, data in hits_among(files, watch, processes):
        if isinstance(data, OSError):
            message = data.strerror or str(data)
            results[path] = FileResult(b"", b"", findings=(file_finding("MT902", message),))
        else:
            hits[path] = data
    if hits:
        # Imported late: only a tree with a hit pays for libcst.
        from migrate_trainers.clusters import migrate_hits

        results |= migrate_hits(hits, files, others or {}, own, read_data, processes, watch)
    results |= _adopted(files, own, results)
    return {path: results[path] for path in files if path in results} if results else {}


def _adopted(
    files: Mapping[Path, bytes], settings_of: Callable[[Path], Settings], results: Mapping[Path, FileResult]
) -> dict[Path, FileResult]:
    """The results for files in which nothing legacy is found, where they are to be adopted."""
    if not any(settings_of(path).adoption for path in files):
        return {}
    found = {}
    for path in files:
        if path not in results:
            found[path] = migrate_source(files[path], settings_of(path), path)
    return found


def _settings_of_all(settings: Settings, path: Path) -> Settings:
    return settings
