"""Search algorithms that have values of their own: a search space, or points that they try first.

OptunaSearch(space={"trainer_init_config": {"lr": ...}})      OptunaSearch(space={"train_loop_config": {"lr": ...}})
HyperOptSearch(points_to_evaluate=[{"trainer_init_config/lr": 0.1}])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.tuning.spaces import Entry, entries_of, is_search_algorithm, takes_space_first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program


def entries_of_algorithms(program: Program) -> Iterator[tuple[str, Entry]]:
    """What the file's search algorithms have under each name, which may be a path; raises `Refusal` if unseen."""
    for call in program.calls:
        if not is_search_algorithm(program, call):
            continue
        for argument in call.args:
            name = argument.keyword.value if argument.keyword is not None else ""
            if argument.star:
                raise Refusal("MT501", argument, "whether the search algorithm has a search space can't be seen")
            is_first = not name and argument is call.args[0] and takes_space_first(program, call)
            if is_first or name in legacy.SEARCH_SPACE_ARGUMENTS:
                yield from entries_of(program, argument.value)
            elif name == legacy.STARTING_POINTS:
                for point in _points(program, argument.value):
                    yield from entries_of(program, point)


def _points(program: Program, value: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The points of a list that is written out in place or in a variable of its own."""
    written = value
    if isinstance(value, cst.Name) and value.value != "None":
        only = program.sole_assignment(value)
        if only is not None and only.value is not None and list(program.uses(only)) == [value]:
            written = only.value
    if isinstance(written, cst.List):
        yield from (element.value for element in written.elements)
    elif not (isinstance(written, cst.Name) and written.value == "None"):
        raise Refusal("MT501", value, "the points are not a list that is written out in this file")
