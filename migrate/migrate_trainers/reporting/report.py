"""What a run found and did: the value that every output format is made from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from migrate_trainers.findings import Kind
from migrate_trainers.selection import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from migrate_trainers.findings import FileResult


class Mode(Enum):
    """What a run does with the files that it would change."""

    IN_PLACE = "in place"
    DIFF = "diff"
    CHECK = "check"
    FILTER = "filter"  # Standard input, rewritten, is standard output.


@dataclass(frozen=True)
class Summary:
    """Counts over a whole run."""

    files: int
    changed: int
    call_sites: int
    migrated: int
    review: int
    manual: int
    errors: int


@dataclass(frozen=True)
class Report:
    """The results of a run, for the files that have any, and how many files it looked at."""

    results: Mapping[Path, FileResult]
    files: int
    mode: Mode = Mode.IN_PLACE

    @property
    def dry(self) -> bool:
        """Whether the run has written nothing."""
        return self.mode in (Mode.DIFF, Mode.CHECK)

    @property
    def adopts(self) -> bool:
        """Whether the run was about scripts that train without Ray, and about nothing legacy."""
        codes = {finding.code for result in self.results.values() for finding in result.findings}
        return any(code.startswith("MT6") for code in codes) and codes.isdisjoint(RULES.values())

    @cached_property
    def summary(self) -> Summary:
        results = self.results.values()
        kinds = [finding.kind for result in results for finding in result.findings]
        return Summary(
            files=self.files,
            changed=sum(result.changed for result in results),
            call_sites=sum(result.call_sites for result in results),
            migrated=sum(result.migrated for result in results),
            review=kinds.count(Kind.REVIEW),
            manual=kinds.count(Kind.MANUAL),
            errors=kinds.count(Kind.ERROR),
        )

    @property
    def skipped(self) -> int:
        """How many call sites comments and options keep the tool from."""
        return sum(result.skipped for result in self.results.values())

    @property
    def exit_code(self) -> int:
        """0 nothing is left to do, 1 something would change or needs a person, 2 the tool could not do its work."""
        if self.summary.errors:
            return 2
        return int(bool(self.summary.manual or (self.dry and self.summary.changed)))
