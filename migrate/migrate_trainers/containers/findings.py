"""What containers themselves have to say about their files."""

from __future__ import annotations

from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.findings import Finding


def container_finding(code: str, detail: str, line: int = 1, column: int = 1, cell: int | None = None) -> Finding:
    """A finding of the catalogue about a place in a container, or one of its cells."""
    entry = CATALOGUE[code]
    return Finding(line, column, line, column, code, entry.kind, f"{entry.title}: {detail}", entry.help, cell)
