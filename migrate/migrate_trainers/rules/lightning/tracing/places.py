"""Where values are kept: variables, attributes, functions that return them, containers.

No regard is had to when something is put there: a place holds whatever is put there anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.rules.lightning.tracing.possible import NOTHING, Else, Items, union

if TYPE_CHECKING:
    from collections.abc import Iterator

    import libcst as cst

    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.lightning.tracing.possible import Possibilities, Possible


@dataclass(frozen=True)
class Variable:
    """What one binding of a variable gives it."""

    binding: Binding


@dataclass(frozen=True)
class AttributeOf:
    """An attribute of a class or its instances, or of a class related to it."""

    family: cst.ClassDef
    name: str


@dataclass(frozen=True)
class Returned:
    """What a function returns."""

    function: cst.CSTNode | None


@dataclass(frozen=True)
class Held:
    """What a container holds: all of it, or one field of a tuple."""

    container: Items
    field: int | None = None


Place = Variable | AttributeOf | Returned | Held


class Places:
    """What each place may hold, so far."""

    def __init__(self) -> None:
        self._held: dict[Place, set[Possible]] = {}
        # How many possibilities all places hold together.
        self.count = 0

    def put(self, place: Place, values: Possibilities) -> None:
        held = self._held.setdefault(place, set())
        before = len(held)
        held |= values
        self.count += len(held) - before

    def of(self, place: Place) -> Possibilities:
        return frozenset(self._held.get(place, NOTHING))

    def items(self, container: Items, field: int | None = None) -> Possibilities:
        """What a container holds, or one field of a tuple does."""
        if container.fields and field is None:
            return union(self.of(Held(container, index)) for index in range(container.fields))
        return self.of(Held(container, field if container.fields else None))

    def elements(self, values: Possibilities) -> Possibilities:
        """What iterating over one of some values gives."""
        found: set[Possible] = set()
        for value in values:
            if isinstance(value, Items) and not value.by_key:
                found |= self.items(value)
            else:
                found.add(Else.OTHER)
        return frozenset(found)

    def attributes(self) -> Iterator[tuple[AttributeOf, Possibilities]]:
        for place, values in self._held.items():
            if isinstance(place, AttributeOf):
                yield place, frozenset(values)
