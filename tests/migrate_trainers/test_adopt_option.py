"""`--adopt` on the command line: what goes with it, and which files it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from migrate_trainers.cli import main

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """\
import lightning.pytorch as pl
from project import Data, Net

trainer = pl.Trainer(max_epochs=1)
trainer.fit(Net(), Data())
"""


def test_rewrites_a_script_in_place(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)

    result = CliRunner().invoke(main, ["--adopt", str(script), "--num-workers", "4", "--use-gpu"])

    assert result.exit_code == 0, result.output
    assert "ScalingConfig(num_workers=4, use_gpu=True)" in script.read_text()


def test_standard_input() -> None:
    result = CliRunner().invoke(main, ["--adopt", "-", "--num-workers", "4", "--runtime", "bundled"], input=SCRIPT)

    assert result.exit_code == 0, result.output
    assert "from train_runtime.torch import TorchTrainer" in result.stdout


def test_without_the_option_nothing_is_adopted(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)

    result = CliRunner().invoke(main, [str(script)])

    assert result.exit_code == 0
    assert script.read_text() == SCRIPT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--adopt", "train.py"], "--adopt needs --num-workers"),
        (["--num-workers", "2", "train.py"], "add that"),
        (["--use-gpu", "train.py"], "add that"),
        (["--adopt", "--num-workers", "0", "train.py"], "0 is not in the range"),
        (["--adopt", "--num-workers", "2", "."], "takes files by name"),
        (["--adopt", "--num-workers", "2"], "takes files by name"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, arguments)

    assert result.exit_code == 2
    assert message in result.stderr
