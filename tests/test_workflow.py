"""The workflow that `docs/reviewing.md` shows: it is the file in `examples/`, and its commands run."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILE = ROOT / "examples" / "review-migration.yml"
OFFICIAL = {"actions/checkout", "actions/setup-python", "github/codeql-action/upload-sarif"}
WORKFLOW: dict[Any, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["migrate-trainers"]["steps"]
# What stands in for a program: it keeps its arguments, and what a file among them holds.
RECORDER = '#!/bin/sh\necho "$(basename "$0") $*" >> "$RECORD"\n'


def test_the_page_shows_the_file() -> None:
    page = (ROOT / "docs" / "reviewing.md").read_text(encoding="utf-8")

    assert f"```yaml\n{FILE.read_text(encoding='utf-8')}```" in page


def test_only_official_actions_with_a_version() -> None:
    actions = [step["uses"].partition("@") for step in STEPS if "uses" in step]

    assert {name for name, _, _ in actions} == OFFICIAL
    assert all(re.fullmatch(r"v\d+", version) for _, _, version in actions)


def shim(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod((folder / name).stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy trainers", "none"])
def test_commands_run(legacy: bool, tmp_path: Path) -> None:
    programs, repository = tmp_path / "bin", tmp_path / "repository"
    programs.mkdir()
    repository.mkdir()
    shim(programs, "migrate-trainers", f'#!/bin/sh\nexec "{sys.executable}" -m migrate_trainers "$@"\n')
    for name in ("pip", "gh"):
        shim(programs, name, RECORDER)
    example = (ROOT / "fixtures" / "accelerate" / "key_that_never_was" / "before.py").read_text()
    (repository / "train.py").write_text(example if legacy else "print('nothing to do')\n")
    subprocess.run(["git", "init", "--quiet", repository], check=True)
    output, summary, record = tmp_path / "output", tmp_path / "summary.md", tmp_path / "record"
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(summary),
        "RECORD": str(record),
    }

    codes = {}
    for step in STEPS:
        if "run" in step:
            answers = {"STATUS": output.read_text().strip().removeprefix("status=")} if output.exists() else {}
            own = {name: answers.get(name, "7") for name in step.get("env", {})}
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            process = subprocess.run(
                command, cwd=repository, env={**environment, **own}, capture_output=True, check=False
            )
            codes[step["name"]] = process.returncode

    assert list(codes.values()) == [0, 0, 0, int(legacy)]
    called = record.read_text().splitlines()
    assert called == [
        "pip install migrate-trainers",
        "gh pr comment 7 --body-file migration.md --edit-last --create-if-none",
    ]
    (run,) = json.loads((repository / "migration.sarif").read_text())["runs"]
    assert [result["ruleId"] for result in run["results"]] == (["MT302"] if legacy else [])
    assert summary.read_text() == (repository / "migration.md").read_text()
    assert ("**MT302** left to you, line 13" in summary.read_text()) is legacy
