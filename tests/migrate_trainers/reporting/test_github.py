"""Annotations of GitHub Actions: one line each, in its escapes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from reports import a_finding, of_fixtures, report_of, repository

from migrate_trainers import FileResult, Finding, Kind
from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.reporting import render

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = re.compile(r"::(?P<level>error|warning|notice) (?P<properties>[^:]*)::(?P<message>.*)")


def annotation(path: Path, finding: Finding) -> tuple[str, dict[str, str], str]:
    """The level, the properties and the message of a finding, as GitHub reads them."""
    text = render("github", report_of({path: FileResult(b"", b"", findings=(finding,))})).decode()
    assert text.count("\n") == 1
    match = COMMAND.fullmatch(text.rstrip("\n"))
    assert match is not None, text
    properties = dict(pair.split("=", 1) for pair in match["properties"].split(","))
    return match["level"], {name: _unescaped(value) for name, value in properties.items()}, _unescaped(match["message"])


def _unescaped(text: str) -> str:
    for escape, character in {"%0A": "\n", "%0D": "\r", "%3A": ":", "%2C": ",", "%25": "%"}.items():
        text = text.replace(escape, character)
    return text


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(repository(tmp_path) / "src")
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "level"),
    [(Kind.MIGRATED, "notice"), (Kind.REVIEW, "warning"), (Kind.MANUAL, "error"), (Kind.ERROR, "error")],
)
def test_annotation(kind: Kind, level: str, root: Path) -> None:
    finding = a_finding("100% of it:\r\n`a, b` :: c", line=3, column=5, kind=kind)

    assert annotation(root / "src" / "a, b: 5%.py", finding) == (
        level,
        {
            "title": f"{finding.code} ({kind.value})",
            "file": "src/a, b: 5%.py",
            "line": "3",
            "endLine": "3",
            "col": "5",
            "endColumn": "8",
        },
        f"100% of it:\r\n`a, b` :: c\n{CATALOGUE[finding.code].why}\nWhat to do: What to do.",
    )


def test_columns_are_only_told_within_one_line(root: Path) -> None:
    _, properties, _ = annotation(root / "x.py", replace(a_finding(line=3), end_line=5))

    assert (properties["line"], properties["endLine"]) == ("3", "5")
    assert not {"col", "endColumn"} & set(properties)


def test_cell_of_a_notebook_is_named_in_the_message(root: Path) -> None:
    _, properties, message = annotation(root / "x.ipynb", replace(a_finding(line=4), cell=2))

    assert "line" not in properties
    assert message.startswith("Cell 2, line 4: ")


def test_every_finding_of_the_fixtures_is_a_line(root: Path) -> None:
    results = of_fixtures(root)

    lines = render("github", report_of(results)).decode().splitlines()

    assert len(lines) == sum(len(result.findings) for result in results.values())
    assert all(COMMAND.fullmatch(line) for line in lines)
