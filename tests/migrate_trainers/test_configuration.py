"""`[tool.migrate-trainers]` in `pyproject.toml`: where it is looked for, what it may hold, and what overrides it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from repositories import write_tree
from rewriting import lightning

from migrate_trainers.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

LEGACY = lightning()


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def configured(folder: Path, table: str, name: str = "pyproject.toml") -> None:
    write_tree(folder, {name: f"[project]\nname = 'x'\n\n[tool.migrate-trainers]\n{table}\n", "src/legacy.py": LEGACY})


def test_options_are_taken_from_the_nearest_table(tmp_path: Path) -> None:
    configured(tmp_path, 'runtime = "bundled"')
    write_tree(tmp_path, {"src/pyproject.toml": "[tool.ruff]\n"})

    assert "from train_runtime" in run("--diff", tmp_path / "src").output
    assert "from train_runtime" in run("--diff", tmp_path / "src" / "legacy.py").output

    configured(tmp_path, 'runtime = "ray"', "src/pyproject.toml")

    assert "from train_runtime" not in run("--diff", tmp_path / "src").output


def test_the_command_line_wins(tmp_path: Path) -> None:
    configured(tmp_path, 'runtime = "bundled"\ntarget-version = "2.9"')

    assert "from ray.train" in run("--diff", "--runtime", "ray", tmp_path).output


def test_paths_may_stand_before_and_behind_options(tmp_path: Path) -> None:
    configured(tmp_path, 'runtime = "bundled"')

    assert "from train_runtime" in run(tmp_path, "--diff").output
    assert "from ray.train" in run(tmp_path, "--runtime=ray", "--diff").output


def test_patterns_hold_below_the_folder_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(tmp_path, 'exclude = ["/src/"]')
    write_tree(tmp_path, {"other/src/legacy.py": LEGACY})
    monkeypatch.chdir(tmp_path / "other")

    output = run("--check", "..").output

    assert "other/src/legacy.py" in output
    assert "../src/legacy.py" not in output
    assert "src/legacy.py" not in run("--check", "--exclude", "src", "..").output, (
        "those of the command line replace them"
    )


def test_flags(tmp_path: Path) -> None:
    configured(tmp_path, "force-exclude = true\nexclude = ['legacy.py']")

    assert run("--check", tmp_path / "src" / "legacy.py").exit_code == 0

    configured(tmp_path, "force-exclude = false\nexclude = ['legacy.py']")

    assert run("--check", tmp_path / "src" / "legacy.py").exit_code == 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('target_version = "2.9"', "did you mean `target-version`?"),
        ('targt-version = "2.9"', "did you mean `target-version`?"),
        ("nonsense = 1", "it takes allow-dirty, "),
        ("diff = true", "has no key `diff`"),
        ("paths = ['src']", "has no key `paths`"),
        ("target-version = 2.9", "`target-version` is a string"),
        ("force-exclude = 'yes'", "`force-exclude` is true or false"),
        ("exclude = 'build'", "`exclude` is a list of strings"),
        ("exclude = [1]", "`exclude` is a list of strings"),
        ('target-version = "1.0"', "the new API exists since Ray 2.7"),
        ('runtime = "spark"', "'spark'"),
        ("runtime = ", "can't be read"),
        ('[tool]\nmigrate-trainers = "x"', "can't be read"),
    ],
)
def test_what_is_wrong_is_an_error_with_a_hint(table: str, message: str, tmp_path: Path) -> None:
    configured(tmp_path, table)

    result = run("--check", tmp_path)

    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert (tmp_path / "src" / "legacy.py").read_text() == LEGACY


@pytest.mark.parametrize("content", ["[tool]\nmigrate-trainers = 1\n", "tool = 'migrate-trainers'\n"])
def test_what_is_no_table_is_an_error(content: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {"pyproject.toml": content})

    assert run("--check", tmp_path).exit_code == 2


@pytest.mark.parametrize("content", ["[broken\n", "\xff", "[tool.black]\n", "# migrate-trainers\n"])
def test_files_without_a_table_are_passed_over(content: str, tmp_path: Path) -> None:
    configured(tmp_path, 'runtime = "bundled"')
    write_tree(tmp_path, {"src/pyproject.toml": content})

    assert "from train_runtime" in run("--diff", tmp_path / "src").output
