"""The report as SARIF 2.1.0: the findings with their rules, and the changes as fixes."""

from __future__ import annotations

import difflib
import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.examples import EXAMPLES
from migrate_trainers.findings import Kind
from migrate_trainers.reading.source import Source, UndecodableError
from migrate_trainers.reporting.diffs import split_lines
from migrate_trainers.reporting.places import base_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from migrate_trainers.entry import Entry
    from migrate_trainers.findings import FileResult, Finding
    from migrate_trainers.reporting.report import Report

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_BASE = "SRCROOT"
_LEVELS = {Kind.MIGRATED: "note", Kind.REVIEW: "warning", Kind.MANUAL: "error", Kind.ERROR: "error"}


def render(report: Report) -> bytes:
    codes = sorted({finding.code for result in report.results.values() for finding in result.findings})
    driver = {
        "name": "migrate-trainers",
        "version": version("migrate-trainers"),
        "rules": [_rule(CATALOGUE[code]) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": report.exit_code < 2, "exitCode": report.exit_code}],
        "originalUriBaseIds": {_BASE: {"uri": base_folder().as_uri().rstrip("/") + "/"}},
        "columnKind": "utf16CodeUnits",
        "newlineSequences": _line_ends(report.results),
        "results": _results(report.results, codes, fixes=report.dry),
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _rule(entry: Entry) -> dict[str, Any]:
    command = f"migrate-trainers --explain {entry.code}"
    markdown = f"{entry.why}\n\n**What to do:** {entry.help}\n"
    example = EXAMPLES.get(entry.code)
    if example is not None and example.instead:
        markdown += (
            f"\nBefore:\n\n```python\n{example.before}```\n\nWrite instead:\n\n```python\n{example.instead}```\n"
        )
    return {
        "id": entry.code,
        "shortDescription": {"text": entry.title},
        "fullDescription": {"text": entry.why},
        "help": {
            "text": f"{entry.why}\n\nWhat to do: {entry.help}\n\n`{command}` tells more.",
            "markdown": f"{markdown}\n`{command}` tells more.",
        },
        "defaultConfiguration": {"level": _LEVELS[entry.kind]},
        "properties": {"kind": entry.kind.value, "tags": ["ray", "migration", entry.kind.value]},
    }


def _line_ends(results: Mapping[Path, FileResult]) -> list[str]:
    """What ends a line; a bare carriage return only where a whole file has no other line ends."""
    sources = (_source(result.before) for result in results.values())
    return ["\r\n", "\n", *(["\r"] if any(source is not None and source.newline == "\r" for source in sources) else [])]


def _source(data: bytes) -> Source | None:
    try:
        return Source.decode(data)
    except UndecodableError:
        return None


def _results(results: Mapping[Path, FileResult], codes: Sequence[str], *, fixes: bool) -> list[dict[str, Any]]:
    """The findings, with the changes as fixes unless they have been made."""
    listed = []
    fixed: set[Path] = set()
    for path, result in results.items():
        source = _source(result.before)
        lines = source.text.split("\n") if source is not None else []
        for finding in result.findings:
            told = {
                "ruleId": finding.code,
                "ruleIndex": codes.index(finding.code),
                "level": _LEVELS[finding.kind],
                "message": {"text": f"{finding.message}. {finding.help}"},
                "locations": [_location(path, finding, lines)],
            }
            if fixes and result.changed and path not in fixed:
                # The first finding carries it, for all files that have to change with this one.
                group = sorted(result.together) or [path]
                told["fixes"] = [_fix({file: results[file] for file in group if file in results})]
                fixed |= {path, *group}
            listed.append(told)
    return listed


def _location(path: Path, finding: Finding, lines: Sequence[str]) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _artifact(path)}
    if finding.cell is not None:
        cell = {"name": f"cell {finding.cell}", "fullyQualifiedName": f"cell {finding.cell}, line {finding.line}"}
        return {"physicalLocation": place, "logicalLocations": [cell]}
    place["region"] = {
        "startLine": finding.line,
        "startColumn": _utf16_column(lines, finding.line, finding.column),
        "endLine": finding.end_line,
        "endColumn": _utf16_column(lines, finding.end_line, finding.end_column),
    }
    return {"physicalLocation": place}


def _artifact(path: Path) -> dict[str, str]:
    file, base = path.resolve(), base_folder()
    if file.is_relative_to(base):
        # Everything but slashes is quoted: a colon would make the first folder a scheme.
        return {"uri": quote(bytes(file.relative_to(base))), "uriBaseId": _BASE}
    return {"uri": file.as_uri()}


def _utf16_column(lines: Sequence[str], line: int, column: int) -> int:
    if line > len(lines):
        return column
    return _utf16_length(lines[line - 1][: column - 1]) + 1


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _fix(group: Mapping[Path, FileResult]) -> dict[str, Any]:
    changes = [
        {"artifactLocation": _artifact(path), "replacements": _replacements(result)}
        for path, result in group.items()
        if result.changed
    ]
    return {"description": {"text": "Migrate to TorchTrainer"}, "artifactChanges": changes}


def _replacements(result: FileResult) -> list[dict[str, Any]]:
    """The change as lines to delete and text to insert there."""
    before, after = Source.decode(result.before), Source.decode(result.after)
    old, new = split_lines(before.text), split_lines(after.text)
    replacements = []
    for operation, start, end, new_start, new_end in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if operation == "equal":
            continue
        text = "".join(new[new_start:new_end])
        if before.newline == "\r":
            text = text.replace("\n", "\r")
        first, last = _start_of_line(old, start), _start_of_line(old, end)
        region = {"startLine": first[0], "startColumn": first[1], "endLine": last[0], "endColumn": last[1]}
        replacements.append({"deletedRegion": region, "insertedContent": {"text": text}})
    return replacements


def _start_of_line(lines: Sequence[str], index: int) -> tuple[int, int]:
    """The line and column where a line begins, or where the text ends for the one behind an unfinished last line."""
    if index and index == len(lines) and not lines[-1].endswith("\n"):
        return index, _utf16_length(lines[-1]) + 1
    return index + 1, 1
