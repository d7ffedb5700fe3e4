"""The report as one JSON object, version 1: what is not in it may be added later, what is stays."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from migrate_trainers.reporting.diffs import text_diff
from migrate_trainers.reporting.places import shown

if TYPE_CHECKING:
    from pathlib import Path

    from migrate_trainers.findings import FileResult, Finding
    from migrate_trainers.reporting.report import Report


def render(report: Report) -> bytes:
    files = [_file(path, result) for path, result in report.results.items()]
    document = {"version": 1, "files": files, "summary": asdict(report.summary)}
    return json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _file(path: Path, result: FileResult) -> dict[str, Any]:
    return {
        "path": shown(path),
        "changed": result.changed,
        "call_sites": result.call_sites,
        "migrated": result.migrated,
        "diff": text_diff(path, result),
        "findings": [_finding(finding) for finding in result.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    cell = {} if finding.cell is None else {"cell": finding.cell}
    return {
        "code": finding.code,
        "kind": finding.kind.value,
        **cell,
        "line": finding.line,
        "column": finding.column,
        "end_line": finding.end_line,
        "end_column": finding.end_column,
        "message": finding.message,
        "help": finding.help,
    }
