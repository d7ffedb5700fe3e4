"""The JSON report: its form is fixed, its diffs are patches."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from rewriting import LIGHTNING_IMPORTS, SCALING, lightning

from migrate_trainers import FileResult, Finding, Kind
from migrate_trainers.cli import main
from migrate_trainers.reporting import render
from migrate_trainers.reporting.report import Mode, Report

LEGACY = lightning(".checkpointing(every_n_train_steps=2)")
REFUSED = LIGHTNING_IMPORTS + f"LightningTrainer(effect(), scaling_config={SCALING}).fit()\n"
BROKEN = LIGHTNING_IMPORTS + "LightningTrainer(\n"

COUNT = {"type": "integer", "minimum": 0}
PLACE = {"type": "integer", "minimum": 1}
TEXT = {"type": "string", "minLength": 1}


def an_object(optional: tuple[str, ...] = (), **properties: object) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


FINDING = an_object(
    ("cell",),
    code={"type": "string", "pattern": "^MT[1-59][0-9]{2}$"},
    kind={"enum": ["migrated", "review", "manual", "error"]},
    cell=PLACE,
    line=PLACE,
    column=PLACE,
    end_line=PLACE,
    end_column=PLACE,
    message=TEXT,
    help=TEXT,
)
FILE = an_object(
    path=TEXT,
    changed={"type": "boolean"},
    call_sites=COUNT,
    migrated=COUNT,
    diff={"type": "string"},
    findings={"type": "array", "items": FINDING},
)
SUMMARY = an_object(
    files=COUNT, changed=COUNT, call_sites=COUNT, migrated=COUNT, review=COUNT, manual=COUNT, errors=COUNT
)
SCHEMA = an_object(version={"const": 1}, files={"type": "array", "items": FILE}, summary=SUMMARY)


@pytest.mark.parametrize("mode", [["--check"], ["--diff"], []], ids=["check", "diff", "in place"])
def test_report_of_a_run(mode: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {"legacy": LEGACY, "refused": REFUSED, "broken": BROKEN, "clean": "print()\n"}.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, [*mode, "--output-format", "json"])
    report = json.loads(result.stdout)

    assert result.exit_code == 2
    assert result.stderr == ""
    jsonschema.validate(report, SCHEMA)
    assert [file["path"] for file in report["files"]] == ["broken.py", "legacy.py", "refused.py"]
    assert report["summary"]["files"] == 4
    assert report["summary"]["call_sites"] == 2
    assert [report["summary"][count] for count in ("changed", "migrated", "manual", "errors")] == [1, 1, 1, 1]
    (tmp_path / "legacy.py").write_text(LEGACY)
    subprocess.run(["git", "apply", "-"], input=report["files"][1]["diff"].encode(), cwd=tmp_path, check=True)
    assert "TorchTrainer(" in (tmp_path / "legacy.py").read_text()


def test_places_are_those_in_the_file_and_the_cell() -> None:
    finding = Finding(3, 5, 4, 1, "MT100", Kind.MIGRATED, "message", "help", cell=2)
    report = Report({Path("notebook.ipynb"): FileResult(b"a", b"b", findings=(finding,))}, 1, Mode.CHECK)

    document = json.loads(render("json", report))

    jsonschema.validate(document, SCHEMA)
    (told,) = document["files"][0]["findings"]
    assert [told[key] for key in ("cell", "line", "column", "end_line", "end_column")] == [2, 3, 5, 4, 1]


def test_names_that_are_no_text_are_shown_all_the_same() -> None:
    report = Report({Path("bad\udcff.py"): FileResult(b"\xff", b"\xfe")}, 1)

    document = json.loads(render("json", report))

    jsonschema.validate(document, SCHEMA)
    assert document["files"][0]["path"] == "bad\ufffd.py"
