"""What the README shows is what the tool does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from migrate_trainers import Kind, migrate_source
from migrate_trainers.catalogue import CATALOGUE
from migrate_trainers.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
PAIRS = re.findall(
    r"### (\w+)\n.*?Before:\n\n```python\n(.*?)```\n\nAfter:\n\n```python\n(.*?)```", README, flags=re.DOTALL
)


def test_shows_a_pair_for_each_trainer() -> None:
    assert [name for name, _, _ in PAIRS] == ["LightningTrainer", "TransformersTrainer", "AccelerateTrainer"]


@pytest.mark.parametrize(("before", "after"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_pair_is_what_the_tool_writes(before: str, after: str) -> None:
    result = migrate_source(before.encode())

    assert result.after.decode() == after
    assert not result.has(Kind.MANUAL)


def test_names_only_options_that_exist() -> None:
    options = {option for parameter in main.params for option in parameter.opts}
    used = set(re.findall(r"migrate-trainers[^\n`]*? (--[a-z-]+)", README))

    assert used
    assert used <= options


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_explains_every_finding(code: str) -> None:
    result = CliRunner().invoke(main, ["--explain", code.lower()])

    assert result.exit_code == 0
    assert CATALOGUE[code].title in result.output
    assert CATALOGUE[code].help in result.output


def test_refuses_to_explain_an_unknown_code() -> None:
    result = CliRunner().invoke(main, ["--explain", "MT000"])

    assert result.exit_code == 2
    assert "MT000" in result.output
