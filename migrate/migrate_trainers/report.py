"""What a run prints: unified diffs, findings, and the summary."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.findings import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.findings import FileResult

_LABELS = {Kind.REVIEW: "review", Kind.MANUAL: "left to you", Kind.ERROR: "error"}


def unified_diff(path: str, result: FileResult) -> bytes:
    """The change of one file as a patch that `git apply` takes; empty where there is none."""
    lines = list(_diff_lines(path, result.before, result.after))
    return b"".join(lines)


def _diff_lines(path: str, before: bytes, after: bytes) -> Iterator[bytes]:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    # Only a line feed ends a line of a patch.
    if any(not line.endswith(b"\n") for line in (*old[:-1], *new[:-1])):
        old, new = _split(before), _split(after)
    name = path.encode()
    diff = difflib.diff_bytes(difflib.unified_diff, old, new, b"a/" + name, b"b/" + name)
    for line in diff:
        yield line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"


def _split(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def finding_lines(path: str, result: FileResult) -> Iterator[str]:
    """A line for each finding that asks something of a person, with what to do."""
    for finding in result.findings:
        if finding.kind is not Kind.MIGRATED:
            yield f"{path}:{finding.line}:{finding.column}: {finding.code} {_LABELS[finding.kind]}: {finding.message}"
            yield f"    {finding.help}"


@dataclass
class Summary:
    """Counts over a whole run."""

    files: int = 0
    changed: int = 0
    call_sites: int = 0
    migrated: int = 0
    review: int = 0
    manual: int = 0
    errors: int = 0

    def add(self, result: FileResult) -> None:
        self.changed += result.changed
        self.call_sites += result.call_sites
        self.migrated += result.migrated
        kinds = [finding.kind for finding in result.findings]
        self.review += kinds.count(Kind.REVIEW)
        self.manual += kinds.count(Kind.MANUAL)
        self.errors += kinds.count(Kind.ERROR)

    def text(self, *, dry: bool) -> str:
        if not (self.call_sites or self.changed or self.manual or self.errors):
            return f"{_count(self.files, 'file')} looked at: no legacy trainer found."
        verb = "would be migrated" if dry else "migrated"
        files = _count(self.changed, "file")
        trainers = f"{self.migrated} of {_count(self.call_sites, 'legacy trainer')}"
        parts = [f"{trainers} {verb} in {files}" if self.call_sites or not self.changed else f"{files} {verb}"]
        parts += [f"{self.review} to review"] if self.review else []
        parts += [f"{self.manual} left to you"] if self.manual else []
        parts += [_count(self.errors, "error")] if self.errors else []
        return ", ".join(parts) + "."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
