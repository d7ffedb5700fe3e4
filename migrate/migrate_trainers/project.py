"""Many sources at once: files that depend on each other are migrated together, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from migrate_trainers.containers import is_notebook, is_page
from migrate_trainers.containers.files import PythonFiles
from migrate_trainers.engine import file_finding, migrate_source, with_finding
from migrate_trainers.files import hits as hits_among
from migrate_trainers.findings import FileResult
from migrate_trainers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def migrate_project(
    files: Mapping[Path, bytes],
    settings: Settings | None = None,
    others: Mapping[Path, bytes] | None = None,
    read_data: Callable[[Path], bytes] = Path.read_bytes,
    settings_of: Callable[[Path], Settings] | None = None,
) -> dict[Path, FileResult]:
    """Rewrite the legacy trainers in some files; the results of those that have any, or change with them.

    `others` are files around them that may be read, and stay as they are. Both may read a file when it is asked for
    (and raise `OSError`): each is read once, unless a legacy trainer depends on other files. `read_data` gives what a
    configuration file holds that a program names, by its absolute path; `settings_of` the settings for one of
    the files, where they are of several projects. Nothing is written.
    """
    own = settings_of or (lambda path: settings or Settings())
    results: dict[Path, FileResult] = {}
    hits: dict[Path, bytes] = {}
    for path, data in hits_among(files):
        if isinstance(data, OSError):
            message = data.strerror or str(data)
            results[path] = FileResult(b"", b"", findings=(file_finding("MT902", message),))
        else:
            hits[path] = data
    if hits:
        # Imported late: only a tree with a hit pays for libcst.
        from migrate_trainers.tree import migrate_hits

        # What the code blocks of a page import is no file beside it.
        found = {path: migrate_source(data, own(path), path) for path, data in hits.items() if is_page(path)}
        python = PythonFiles(files)
        modules = {path: python[path] for path in hits if not is_page(path)}
        migrated = migrate_hits(modules, python, PythonFiles(others or {}), own, read_data)
        unread = {path: FileResult(b"", b"") for path in modules if is_notebook(path)}
        found |= {path: python.result(path, with_finding(result)) for path, result in (unread | migrated).items()}
        results |= {path: result for path, result in found.items() if result.findings or result.changed}
    return {path: with_finding(results[path]) for path in files if path in results} if results else {}
