"""A sample of `make faults`: each scenario once, and a few kills at random moments."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fault_runs import run
from random_kills import kill_at_random
from scenarios import SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_the_right_rank_is_blamed_for_the_right_cause(scenario: Scenario, tmp_path: Path) -> None:
    outcome = run(scenario, random.Random(scenario.name), tmp_path)
    assert outcome.right_rank, outcome.message
    assert outcome.right_cause, outcome.message


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")
def test_random_kills_lose_tear_and_leave_nothing() -> None:
    tally = kill_at_random(4)
    assert sum(tally.kills.values()) == 4
    assert not tally.problems
