"""Generated programs: the output makes the calls that the input made, or the input is left as it is.

A run takes the same 600 programs each time. To look further, say how many: `PROGRAMS=5000 pytest -s <this file>` takes
others each time, and prints the share of those that were left.
"""

from __future__ import annotations

import io
import os
import tokenize
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from accelerate_programs import accelerate_programs
from hypothesis import HealthCheck, given, settings
from lightning_programs import followed_programs, lightning_programs
from transformers_programs import transformers_programs
from worker_calls import assert_same_calls

from migrate_trainers import Settings, migrate_source
from migrate_trainers.findings import Kind

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def _comments(text: str) -> Counter[str]:
    return Counter(
        token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    )


EXPLORED = os.environ.get("PROGRAMS")


def _check(program: str) -> bool:
    """Whether the program was migrated; every way to be wrong is an assertion."""
    result = migrate_source(program.encode(), Settings(source_version=(2, 6)))

    assert not result.has(Kind.ERROR), result.findings
    if result.has(Kind.MANUAL):
        assert result.after == result.before
        return False
    after = result.after.decode()
    # Where the arguments are out of sight, a finding says that the device may be another one.
    is_said = any(finding.code == "MT227" for finding in result.findings)
    assert_same_calls(program, after, but="device" if is_said else None)
    assert not _comments(program) - _comments(after)
    again = migrate_source(result.after)
    assert (again.after, again.call_sites) == (result.after, 0)
    return True


@pytest.mark.parametrize(
    ("programs", "number"),
    [
        (lightning_programs(), 200),
        (followed_programs(), 100),
        (transformers_programs(), 200),
        (accelerate_programs(), 100),
    ],
    ids=["filled", "followed", "transformers", "accelerate"],
)
def test_the_output_makes_the_same_calls(programs: SearchStrategy[str], number: int) -> None:
    migrated: Counter[bool] = Counter()

    @given(programs)
    @settings(
        max_examples=int(EXPLORED or number),
        derandomize=EXPLORED is None,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    def check(program: str) -> None:
        migrated[_check(program)] += 1

    check()
    print(f"\n{migrated[False]} of {migrated.total()} programs were left alone")
    assert migrated[True] > migrated[False]
