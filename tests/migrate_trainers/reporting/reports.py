"""What the tests of the formats share: the results for all fixtures and for odd bytes, in a folder."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from regenerate import FIXTURES, migrated
from rewriting import lightning

from migrate_trainers import FileResult, Finding, Kind, migrate_source
from migrate_trainers.reporting.report import Mode, Report

if TYPE_CHECKING:
    from pathlib import Path

LEGACY = lightning().encode()
ODD_BYTES = {
    "CRLF": LEGACY.replace(b"\n", b"\r\n"),
    "CR": LEGACY.replace(b"\n", b"\r"),
    "some lines CRLF": LEGACY.replace(b"\n", b"\r\n", 5),
    "no final newline": LEGACY.rstrip(b"\n"),
    "CRLF, no final newline": LEGACY.rstrip(b"\n").replace(b"\n", b"\r\n"),
    "byte order mark": b"\xef\xbb\xbf" + LEGACY,
    "latin-1": b"# coding: latin-1\n# gr\xfc\xdf \x85\x1c\n" + LEGACY,
    "other line separators": LEGACY + "# a\u2028b\u0085c\x0bd\x0ce\x1cf\n".encode(),
    "trailing blanks": LEGACY + b"x = 1   \n\t\n\n\n",
}


@cache
def _migrated_fixtures() -> dict[Path, dict[Path, FileResult]]:
    return {before.parent: migrated(before.parent) for before in sorted(FIXTURES.glob("*/*/before*"))}


def of_fixtures(folder: Path) -> dict[Path, FileResult]:
    """The results for every fixture, as if the fixtures lay in a folder; files that belong together keep it."""
    results = {}
    for fixture, by_path in _migrated_fixtures().items():
        own = folder / fixture.relative_to(FIXTURES)
        for path, result in by_path.items():
            results[own / path] = replace(result, together=frozenset(own / other for other in result.together))
    return results


def of_odd_bytes(folder: Path) -> dict[Path, FileResult]:
    return {folder / f"{name}.py": migrate_source(data) for name, data in ODD_BYTES.items()}


def report_of(results: dict[Path, FileResult], mode: Mode = Mode.CHECK) -> Report:
    return Report(results, len(results), mode)


def repository(folder: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    return folder


def a_finding(message: str = "message", line: int = 1, column: int = 1, kind: Kind = Kind.REVIEW) -> Finding:
    code = {Kind.MIGRATED: "MT100", Kind.REVIEW: "MT111", Kind.MANUAL: "MT105", Kind.ERROR: "MT900"}[kind]
    return Finding(line, column, line, column + 3, code, kind, message, "What to do.")
