"""The report as one page that needs nothing else: side-by-side diffs with the findings at their lines, and a filter."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup, escape

from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.findings import Kind
from migrate_trainers.reporting.as_text import summary_line
from migrate_trainers.reporting.highlighting import style_sheet
from migrate_trainers.reporting.phrases import counted
from migrate_trainers.reporting.places import shown
from migrate_trainers.reporting.sections import sections
from migrate_trainers.reporting.side_by_side import Block, blocks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from migrate_trainers.findings import FileResult, Finding
    from migrate_trainers.reporting.report import Report

_LABELS = {Kind.MIGRATED: "migrated", Kind.REVIEW: "to review", Kind.MANUAL: "left to you", Kind.ERROR: "error"}


@dataclass(frozen=True)
class _Section:
    title: str
    changed: bool
    blocks: list[Block]


@dataclass(frozen=True)
class _File:
    name: str
    changed: bool
    added: int
    removed: int
    kinds: Counter[str]
    sections: list[_Section]


def render(report: Report) -> bytes:
    files = [_file(path, result) for path, result in report.results.items() if result.changed or result.findings]
    findings = [finding for result in report.results.values() for finding in result.findings]
    style = _asset("report.css") + style_sheet()
    script = _asset("report.js")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"counted": counted, "with_code": _with_code}
    page = environment.get_template("report.html.j2").render(
        sentence=summary_line(report),
        summary=report.summary,
        dry=report.dry,
        files=files,
        kinds=_kinds(findings),
        labels={kind.value: label for kind, label in _LABELS.items()},
        codes=sorted(Counter(finding.code for finding in findings).items()),
        catalogue=CATALOGUE,
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'",
    )
    return page.encode("utf-8", "replace")


def _asset(name: str) -> str:
    return (resources.files(__package__) / "page" / name).read_text(encoding="utf-8")


def _with_code(message: str) -> Markup:
    """A message as HTML: what it has in backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(message))))


def _source(content: str) -> str:
    """How a content security policy names an inline style sheet or script."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _kinds(findings: Iterable[Finding]) -> Counter[str]:
    """How many findings there are of each kind that occurs, in the order of the kinds."""
    counts = Counter(finding.kind.value for finding in findings)
    return Counter({kind.value: counts[kind.value] for kind in Kind if counts[kind.value]})


def _file(path: Path, result: FileResult) -> _File:
    listed = [
        _Section(section.title, section.changed, list(blocks(section, path.name))) for section in sections(path, result)
    ]
    lines = Counter(line.kind for section in listed for block in section.blocks for line in block.lines)
    return _File(shown(path), result.changed, lines["added"], lines["removed"], _kinds(result.findings), listed)
