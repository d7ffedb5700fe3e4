"""What a user can ask of one run of the rewriter."""

from __future__ import annotations

from dataclasses import dataclass

from migrate_trainers.reading import legacy

Version = tuple[int, int]


@dataclass(frozen=True)
class Settings:
    """The Ray that the code was written for, the Ray that it must run on, and whose package new imports name.

    Without a source version, the names that a file uses tell it (2.6 where they don't).
    """

    source_version: Version | None = None
    target_version: Version = legacy.LATEST_TARGET
    bundled: bool = False

    @property
    def source(self) -> Version:
        """The Ray that the code was written for, as far as it is known."""
        return self.source_version or legacy.USUAL_SOURCE

    @property
    def strict_target(self) -> bool:
        """Whether the target raises on what earlier releases of the new API still took."""
        return self.bundled or self.target_version >= legacy.FIRST_STRICT_TARGET


def parse_version(text: str) -> Version:
    """`2.9` or `latest`; raises `ValueError` for anything else, and for a Ray without the new API."""
    if text == "latest":
        return legacy.LATEST_TARGET
    major, separator, minor = text.partition(".")
    if not separator or not major.isdecimal() or not minor.isdecimal():
        raise ValueError(f"{text!r} is not a Ray version such as 2.9")
    return int(major), int(minor)
