"""`--explain`: a finding's code in any case, and help for one that is mistyped."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from migrate_trainers.cli import main
from migrate_trainers.examples import EXAMPLES


@pytest.mark.parametrize("code", ["MT105", "mt105", " Mt105 "])
def test_meaning_with_a_program_before_and_instead(code: str) -> None:
    output = CliRunner().invoke(main, ["--explain", code]).stdout

    assert output.startswith("MT105 (manual): ")
    for program in (EXAMPLES["MT105"].before, EXAMPLES["MT105"].instead):
        assert all(f"    {line}\n" in output for line in program.splitlines() if line)


def test_program_before_and_after() -> None:
    output = CliRunner().invoke(main, ["--explain", "MT111"]).stdout

    assert output.index("\nBefore:\n") < output.index("LightningTrainer(") < output.index("\nAfter:\n")
    assert "TorchTrainer(" in output


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("MT1055", "near ones are MT105"),
        ("105", "near ones are MT105"),
        ("MT", "they run from MT100 to MT9"),
        ("😀", "from"),
    ],
)
def test_unknown_code(code: str, hint: str) -> None:
    result = CliRunner().invoke(main, ["--explain", code])

    assert result.exit_code == 2
    assert f"{code} is not the code of a finding" in result.stderr
    assert hint in result.stderr
