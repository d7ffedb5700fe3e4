"""A small program that shows what a finding is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from migrate_trainers.findings import FileResult
from migrate_trainers.project import migrate_project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrate_trainers.settings import Settings


@dataclass(frozen=True)
class Example:
    """A program that gives a finding with some settings; `instead` is for those that the tool leaves to a person.

    `files` are those beside it that it reads.
    """

    before: str
    instead: str = ""
    settings: Settings | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    def migrated(self, program: str) -> FileResult:
        """What the tool makes of one of the programs."""
        script, data = Path("train.py"), program.encode()
        results = migrate_project({script: data}, self.settings, read_data=self._data)
        return results.get(script, FileResult(data, data))

    def _data(self, path: Path) -> bytes:
        if path.name not in self.files:
            raise FileNotFoundError(path)
        return self.files[path.name].encode()
