"""What the catalogue says of one finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.reading import legacy

if TYPE_CHECKING:
    from migrate_trainers.findings import Kind

Version = tuple[int, int]


@dataclass(frozen=True)
class Entry:
    """One finding of the catalogue, with the targets and the sources for which alone it is given."""

    code: str
    kind: Kind
    title: str
    why: str
    help: str
    first_target: Version = legacy.FIRST_TARGET
    first_source: Version = legacy.FIRST_SOURCE
    last_source: Version | None = None

    @property
    def versions(self) -> str:
        """For which versions it is given, in words; empty where that is all of them."""
        if self.first_target > legacy.FIRST_TARGET:
            return f"target Ray {_text(self.first_target)} and newer"
        if self.last_source is not None:
            return f"code for Ray {_text(self.last_source)} and older"
        return f"code for Ray {_text(self.first_source)} and newer" if self.first_source > legacy.FIRST_SOURCE else ""


def _text(version: Version) -> str:
    return ".".join(map(str, version))
