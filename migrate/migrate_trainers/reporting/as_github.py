"""Findings as workflow commands of GitHub Actions, which shows them at their lines in a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.findings import Kind
from migrate_trainers.reporting.places import name_in_repository, shown

if TYPE_CHECKING:
    from pathlib import Path

    from migrate_trainers.findings import Finding
    from migrate_trainers.reporting.report import Report

_COMMANDS = {Kind.MIGRATED: "notice", Kind.REVIEW: "warning", Kind.MANUAL: "error", Kind.ERROR: "error"}
_IN_MESSAGES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTIES = _IN_MESSAGES | str.maketrans({":": "%3A", ",": "%2C"})


def render(report: Report) -> bytes:
    lines = [
        f"{_annotation(path, finding)}\n" for path, result in report.results.items() for finding in result.findings
    ]
    return "".join(lines).encode()


def _annotation(path: Path, finding: Finding) -> str:
    properties = {"title": f"{finding.code} ({finding.kind.value})", "file": shown(name_in_repository(path))}
    properties |= _lines(finding)
    listed = ",".join(f"{name}={value.translate(_IN_PROPERTIES)}" for name, value in properties.items())
    cell = "" if finding.cell is None else f"Cell {finding.cell}, line {finding.line}: "
    why = CATALOGUE[finding.code].why
    message = f"{cell}{finding.message}\n{why}\nWhat to do: {finding.help}".translate(_IN_MESSAGES)
    return f"::{_COMMANDS[finding.kind]} {listed}::{message}"


def _lines(finding: Finding) -> dict[str, str]:
    """Where a finding is: GitHub takes columns within one line only, and knows no cells."""
    if finding.cell is not None:
        return {}
    lines = {"line": str(finding.line), "endLine": str(finding.end_line)}
    if finding.line == finding.end_line:
        lines |= {"col": str(finding.column), "endColumn": str(finding.end_column)}
    return lines
