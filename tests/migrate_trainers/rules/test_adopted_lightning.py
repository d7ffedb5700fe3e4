"""Plain Lightning scripts that `--adopt` turns into TorchTrainer programs, by what is special about each."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from rewriting import after, codes, migrate

from migrate_trainers.settings import Adoption

if TYPE_CHECKING:
    from migrate_trainers import FileResult

IMPORTS = """\
import lightning.pytorch as pl
import torch
from project import Data, Net, effect
"""


def adopt(text: str, *, num_workers: int = 2, use_gpu: bool = False) -> FileResult:
    """The rewriter's result for a script behind the usual imports."""
    return migrate(IMPORTS + dedent(text), adoption=Adoption(num_workers, use_gpu))


def test_a_second_run_changes_nothing() -> None:
    output = after(adopt("trainer = pl.Trainer(max_epochs=1)\ntrainer.fit(Net(), Data())\n"))

    again = migrate(output, adoption=Adoption(2))

    assert not again.changed
    assert codes(again) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("print(len(Data()))\n", "MT649"),
        ("trainer = pl.Trainer()\n", "MT601"),
    ],
)
def test_left_as_it_was(text: str, code: str) -> None:
    result = adopt(text)

    assert not result.changed
    assert codes(result) == [code]
