"""Generated programs: the output makes the calls that the input made, or the input is left as it is.

A run takes the same programs each time. `PROGRAMS=5000 pytest -s <this file>` takes so many others of each kind, and
prints the share of the trainers that were left; with `-k tuned` it takes those of one kind.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from accelerate_programs import accelerate_programs
from checked_programs import check_files, check_program
from everyday import accelerate_parts, in_modules, lightning_parts, script, transformers_parts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightning_programs import followed_programs, lightning_programs
from transformers_programs import transformers_programs

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

EXPLORED = os.environ.get("PROGRAMS")
_TUNED = st.one_of(
    lightning_parts(tuned=True, is_straight=True), transformers_parts(tuned=True), accelerate_parts(tuned=True)
)
_MODULES = st.composite(
    lambda draw: in_modules(draw, draw(st.one_of(lightning_parts(), transformers_parts(), accelerate_parts(), _TUNED)))
)()


def _checked(programs: SearchStrategy[Any], number: int, check: Callable[[Any], Counter[bool]]) -> Counter[bool]:
    """How many call sites of so many programs were migrated, and how many left."""
    sites: Counter[bool] = Counter()

    @given(programs)
    @settings(
        max_examples=int(EXPLORED or number),
        derandomize=EXPLORED is None,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    def run(program: Any) -> None:
        sites.update(check(program))

    run()
    print(f"\n{sites[False]} of {sites.total()} trainers were left alone")
    return sites


@pytest.mark.parametrize(
    ("programs", "check"),
    [
        (lightning_parts().map(script), check_program),
        (transformers_parts().map(script), check_program),
        (accelerate_parts().map(script), check_program),
        (_TUNED.map(script), check_program),
        (_MODULES, check_files),
    ],
    ids=["lightning", "transformers", "accelerate", "tuned", "modules"],
)
def test_programs_as_people_write_them_are_migrated(
    programs: SearchStrategy[Any], check: Callable[[Any], Counter[bool]]
) -> None:
    sites = _checked(programs, 50, check)
    assert sites[False] < 0.05 * sites.total()


# What people hardly do: the values change between, the names are those that the output would like to use…
@pytest.mark.parametrize(
    "programs",
    [
        lightning_programs(),
        followed_programs(),
        lightning_parts(tuned=True).map(script),
        transformers_programs(),
        accelerate_programs(),
    ],
    ids=["lightning-filled", "lightning-followed", "lightning-searched", "transformers-odd", "accelerate-odd"],
)
def test_programs_full_of_traps_are_left_or_do_the_same(programs: SearchStrategy[str]) -> None:
    sites = _checked(programs, 35, check_program)
    assert sites[True]
