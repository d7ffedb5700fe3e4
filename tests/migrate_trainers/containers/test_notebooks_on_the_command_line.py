"""Notebooks as files: found in folders, in patches, in findings, and on standard input."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from click.testing import CliRunner
from notebooks import notebook, written
from rewriting import LIGHTNING_IMPORTS, lightning

from migrate_trainers.cli import main

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = lightning().removeprefix(LIGHTNING_IMPORTS)
LEGACY = written(notebook(LIGHTNING_IMPORTS, "%matplotlib inline", PROGRAM))
REFUSED = written(notebook(LIGHTNING_IMPORTS, "#md", "LightningTrainer(effect()).fit()"))


def test_found_in_a_folder_and_written(tmp_path: Path) -> None:
    (tmp_path / "train.ipynb").write_bytes(LEGACY)
    result = CliRunner().invoke(main, [str(tmp_path)])

    assert result.exit_code == 0, result.output
    assert b"LightningTrainer(" not in (tmp_path / "train.ipynb").read_bytes()


def test_git_applies_the_diff(tmp_path: Path) -> None:
    file = tmp_path / "train.ipynb"
    file.write_bytes(LEGACY)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    patch = CliRunner().invoke(main, ["--diff", str(file)]).stdout_bytes
    assert file.read_bytes() == LEGACY
    subprocess.run(["git", "apply"], input=patch, cwd=tmp_path, check=True)
    CliRunner().invoke(main, [str(file)])
    patched = file.read_bytes()
    file.write_bytes(LEGACY)
    CliRunner().invoke(main, [str(file)])

    assert patched == file.read_bytes() != LEGACY


def test_findings_name_the_cell(tmp_path: Path) -> None:
    (tmp_path / "train.ipynb").write_bytes(REFUSED)
    result = CliRunner().invoke(main, ["--check", str(tmp_path)])

    assert result.exit_code == 1
    assert "train.ipynb:cell 3:1:18: MT101" in result.output


def test_standard_input_is_what_its_name_says() -> None:
    recognised = CliRunner().invoke(main, ["-"], input=LEGACY)
    named = CliRunner().invoke(main, ["--stdin-filename", "a/train.ipynb", "-"], input=LEGACY)
    as_python = CliRunner().invoke(main, ["--stdin-filename", "train.py", "-"], input=LEGACY)

    assert recognised.stdout_bytes == named.stdout_bytes != LEGACY
    assert as_python.stdout_bytes == LEGACY
