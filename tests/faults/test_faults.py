"""A sample of `make faults`: each scenario once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from fault_runs import run
from scenarios import SCENARIOS, Scenario

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_the_right_rank_is_blamed_for_the_right_cause(scenario: Scenario, tmp_path: Path) -> None:
    outcome = run(scenario, random.Random(scenario.name), tmp_path)
    assert outcome.right_rank, outcome.message
    assert outcome.right_cause, outcome.message
