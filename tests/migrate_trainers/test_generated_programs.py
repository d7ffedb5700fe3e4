"""Generated programs: the output makes the calls that the input made, or the input is left as it is.

A run takes the same programs each time. `PROGRAMS=5000 pytest -s <this file>` takes so many others of each kind, and
prints the share of the trainers that were left; with `KIND=tuned` it takes those of one kind.
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
    from collections.abc import Callable, Iterable

    from hypothesis.strategies import SearchStrategy

    _Check = Callable[[Any], Counter[bool]]

EXPLORED = os.environ.get("PROGRAMS")
_TUNED = st.one_of(
    lightning_parts(tuned=True, is_straight=True), transformers_parts(tuned=True), accelerate_parts(tuned=True)
)
_MODULES = st.composite(
    lambda draw: in_modules(draw, draw(st.one_of(lightning_parts(), transformers_parts(), accelerate_parts(), _TUNED)))
)()
# Programs as people write them: those of each kind, and what checks one.
_PLAIN = {
    "lightning": (lightning_parts().map(script), check_program),
    "transformers": (transformers_parts().map(script), check_program),
    "accelerate": (accelerate_parts().map(script), check_program),
    "tuned": (_TUNED.map(script), check_program),
    "modules": (_MODULES, check_files),
}
# What people hardly do: the values change between, the names are those that the output would like to use…
_TRAPS = {
    "lightning-filled": lightning_programs(),
    "lightning-followed": followed_programs(),
    "lightning-searched": lightning_parts(tuned=True).map(script),
    "transformers-odd": transformers_programs(),
    "accelerate-odd": accelerate_programs(),
}


def _wanted(kinds: Iterable[str]) -> list[str]:
    kind = os.environ.get("KIND")
    return [one for one in kinds if not kind or one == kind]


def _checked(kind: str, programs: SearchStrategy[Any], number: int, check: _Check) -> Counter[bool]:
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
    print(f"\n{kind}: {sites[False]} of {sites.total()} trainers were left alone")
    return sites


def test_programs_as_people_write_them_are_migrated() -> None:
    sites: Counter[bool] = Counter()
    for kind in _wanted(_PLAIN):
        sites += _checked(kind, _PLAIN[kind][0], 50, _PLAIN[kind][1])
    assert sites[False] <= 0.05 * sites.total()


@pytest.mark.parametrize("kind", _wanted(_TRAPS))
def test_programs_full_of_traps_are_left_or_do_the_same(kind: str) -> None:
    assert _checked(kind, _TRAPS[kind], 35, check_program)[True]
