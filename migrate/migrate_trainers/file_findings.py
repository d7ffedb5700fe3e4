"""Findings about a file as a whole, beside those of the rules."""

from __future__ import annotations

from dataclasses import replace

from migrate_trainers.findings import FileResult, Finding


def file_finding(code: str, message: str, line: int = 1, column: int = 1, cell: int | None = None) -> Finding:
    """A finding about a whole file, or a place in it."""
    from migrate_trainers.catalogue import CATALOGUE

    entry = CATALOGUE[code]
    return Finding(line, column, line, column, code, entry.kind, f"{entry.title}: {message}", entry.help, cell)


def failure(data: bytes, error: Exception) -> FileResult:
    """The result for a source in which the tool itself failed."""
    return FileResult(data, data, findings=(file_finding("MT903", f"{type(error).__name__}: {error}"),))


def with_finding(result: FileResult) -> FileResult:
    """The result with a finding at its first changed line, where nothing else says that the file changes."""
    if result.findings or not result.changed:
        return result
    from migrate_trainers.catalogue import CATALOGUE

    lines = zip(result.before.split(b"\n"), result.after.split(b"\n"), strict=False)
    line = 1 + next((index for index, (old, new) in enumerate(lines) if old != new), 0)
    entry = CATALOGUE["MT400"]
    finding = Finding(line, 1, line, 1, entry.code, entry.kind, entry.title, entry.help)
    return replace(result, findings=(finding,))
