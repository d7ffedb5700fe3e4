"""Which Ray a project was written for, and which one it runs on, where nobody says so: its requirement files do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from migrate_trainers.file_findings import file_finding
from migrate_trainers.reading import legacy

if TYPE_CHECKING:
    from pathlib import Path

    from migrate_trainers.findings import FileResult
    from migrate_trainers.settings import Settings, Version

# In Ray 2.8 the trainers' constructors only raise an error.
_LAST_WITH_TRAINERS, _LAST_WITH_NAMES = (2, 7), (2, 8)


@dataclass(frozen=True)
class Inferred:
    """The versions that requirement files tell, None where they don't, and what they say."""

    source: Version | None
    target: Version | None
    said: str


class Projects:
    """The projects of the files that one run looks at; what their requirement files say is read once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._in_folder = cache(_in_folder)

    def __reduce__(self) -> tuple[type[Projects], tuple[Settings]]:
        return Projects, (self._settings,)

    def settings_of(self, path: Path) -> Settings:
        """The settings for a file, with the versions of its project where none are given."""
        found = self.inferred(path)
        if found is None:
            return self._settings
        return replace(
            self._settings,
            source_version=self._settings.source_version or found.source,
            target_version=self._settings.target_version or found.target,
        )

    def inferred(self, path: Path) -> Inferred | None:
        """What the nearest requirement files at or above a file's folder say, within its repository."""
        folder = path.absolute().parent
        for above in (folder, *folder.parents):
            if (found := self._in_folder(above)) is not None or (above / ".git").exists():
                return found
        return None

    def with_target(self, path: Path, result: FileResult) -> FileResult:
        """A result that also says that its output is for the Ray of the project, and not for current Ray."""
        found = self.inferred(path) if result.changed and self._settings.target_version is None else None
        if found is None or found.target is None:
            return result
        version = ".".join(map(str, found.target))
        finding = file_finding("MT917", f"Ray {version}, as {found.said}")
        return replace(result, findings=tuple(sorted((*result.findings, finding))))


def _in_folder(folder: Path) -> Inferred | None:
    # Imported late: only what is migrated needs them.
    from migrate_trainers.requirements import allowed_releases

    found = allowed_releases(folder)
    if found is None or not found[0]:
        return None
    releases, said = found
    last = max(releases)
    # Where the newest release is allowed, or none that has the new API, the output is for the newest.
    target = last if legacy.FIRST_TARGET <= last < legacy.LATEST_TARGET else None
    return Inferred(_source(releases), target, ", ".join(said))


def _source(releases: frozenset[Version]) -> Version | None:
    """The newest release in which the trainers worked, if no newer ones are allowed, or no older ones."""
    working = [release for release in releases if release <= _LAST_WITH_TRAINERS]
    if max(releases) <= _LAST_WITH_NAMES:
        return max([*working, legacy.FIRST_SOURCE]) if working else _LAST_WITH_NAMES
    return _LAST_WITH_TRAINERS if working and min(releases) == _LAST_WITH_TRAINERS else None
