"""A folder run in place leaves what git could not take back; files given by name are rewritten as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from repositories import git, make_repository, write_tree
from rewriting import lightning

from migrate_trainers.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

LEGACY = lightning()
CHANGED = f"{LEGACY}print(1)\n"
MODULES = {
    "train.py": LEGACY.replace("project", "models"),
    "models.py": "import pytorch_lightning as pl\nNet = DM = pl\n",
}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def is_migrated(file: Path) -> bool:
    return "LightningTrainer" not in file.read_text()


@pytest.mark.parametrize("state", ["changed", "staged", "untracked", "renamed"])
def test_a_file_with_changes_is_left_and_the_others_are_migrated(state: str, tmp_path: Path) -> None:
    make_repository(
        tmp_path, {"a b/clean.py": LEGACY, "old.py": LEGACY} | ({} if state == "untracked" else {"ü.py": LEGACY})
    )
    if state == "renamed":
        git(tmp_path, "mv", "old.py", "new.py")
    else:
        write_tree(tmp_path, {"ü.py": CHANGED})
    if state == "staged":
        git(tmp_path, "add", "ü.py")
    dirty = tmp_path / ("new.py" if state == "renamed" else "ü.py")
    content = dirty.read_text()

    result = run(tmp_path)

    assert result.exit_code == 1
    assert "MT909" in result.output
    assert dirty.read_text() == content
    assert is_migrated(tmp_path / "a b" / "clean.py")
    assert run("--allow-dirty", tmp_path).exit_code == 0
    assert is_migrated(dirty)


def test_a_file_given_by_name_is_rewritten(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.py": LEGACY})
    write_tree(tmp_path, {"a.py": CHANGED})

    assert run(tmp_path / "a.py").exit_code == 0
    assert is_migrated(tmp_path / "a.py")


def test_files_that_change_together_are_left_together(tmp_path: Path) -> None:
    make_repository(tmp_path, MODULES)
    write_tree(tmp_path, {"models.py": MODULES["models.py"] + "# mine\n"})

    result = run(tmp_path)

    assert result.exit_code == 1
    assert (tmp_path / "train.py").read_text() == MODULES["train.py"]
    assert "train.py:1:1: MT906" in result.output
    assert "models.py:1:1: MT909" in result.output


def test_dry_runs_do_not_ask(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.py": LEGACY})
    write_tree(tmp_path, {"a.py": CHANGED})

    assert "MT909" not in run("--check", tmp_path).output
    assert "TorchTrainer" in run("--diff", tmp_path).output


def test_outside_of_git_nothing_is_asked(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.py": LEGACY})

    assert run(tmp_path).exit_code == 0
    assert is_migrated(tmp_path / "a.py")


def test_a_submodule_and_a_linked_work_tree_have_their_own_state(tmp_path: Path) -> None:
    make_repository(tmp_path / "library", {"clean.py": LEGACY, "dirty.py": LEGACY})
    make_repository(tmp_path / "main", {"a.py": LEGACY})
    git(tmp_path / "main", "submodule", "--quiet", "add", str(tmp_path / "library"), "vendored")
    write_tree(tmp_path / "main", {"vendored/dirty.py": CHANGED})

    run(tmp_path / "main")

    assert is_migrated(tmp_path / "main" / "a.py")
    assert is_migrated(tmp_path / "main" / "vendored" / "clean.py")
    assert not is_migrated(tmp_path / "main" / "vendored" / "dirty.py")


def test_a_link_counts_as_the_file_that_it_leads_to(tmp_path: Path) -> None:
    make_repository(tmp_path / "elsewhere", {"real.py": LEGACY})
    write_tree(tmp_path, {"elsewhere/real.py": CHANGED, "here/x.py": ""})
    (tmp_path / "here" / "link.py").symlink_to(tmp_path / "elsewhere" / "real.py")

    assert run(tmp_path / "here").exit_code == 1
    assert (tmp_path / "elsewhere" / "real.py").read_text() == CHANGED


def test_where_git_has_no_answer_nothing_is_rewritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_repository(tmp_path, {"a.py": LEGACY})
    monkeypatch.setenv("PATH", "")

    result = run(tmp_path)

    assert result.exit_code == 1
    assert "git can't be run" in result.output
    assert run("--allow-dirty", tmp_path).exit_code == 0
