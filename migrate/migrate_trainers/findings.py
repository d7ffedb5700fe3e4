"""What the tool says about a file: findings, and the result of looking at one source."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Kind(Enum):
    """How much a person has to do about a finding."""

    MIGRATED = "migrated"
    REVIEW = "review"
    MANUAL = "manual"
    ERROR = "error"


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that the tool has to say about a place in a file; lines and columns are 1-based.

    In a notebook, `cell` counts all its cells from 1, and the lines are those of the cell.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    code: str
    kind: Kind = field(compare=False)
    message: str = field(compare=False)
    help: str = field(compare=False)
    cell: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class FileResult:
    """What became of one source: its new bytes (the old ones where nothing was rewritten) and the findings.

    `together` are the files of a project that are changed with this one, or none of them is; `skipped` counts the call
    sites that comments and options keep the tool from.
    """

    before: bytes
    after: bytes
    call_sites: int = 0
    migrated: int = 0
    findings: tuple[Finding, ...] = ()
    together: frozenset[Path] = frozenset()
    skipped: int = 0

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def says_something(self) -> bool:
        """Whether a run has to tell of it."""
        return self.changed or bool(self.findings or self.skipped)

    def has(self, kind: Kind) -> bool:
        return any(finding.kind is kind for finding in self.findings)
