"""What an expression can evaluate to, as far as configurations are concerned."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import libcst as cst


@dataclass(frozen=True)
class Builder:
    """A `LightningConfigBuilder`; `origin` is the call that makes it."""

    origin: cst.CSTNode


@dataclass(frozen=True)
class Config:
    """What `build()` gives, or a dictionary with its keys; `origin` is the builder's, or where it is written out."""

    origin: cst.CSTNode


@dataclass(frozen=True)
class Items:
    """A list, dictionary, tuple or iterator that is made at a node.

    `fields` is the length of a tuple whose items are told apart; `by_key` says that iterating gives keys, and not what
    it holds.
    """

    node: cst.CSTNode
    part: str = ""
    fields: int = 0
    by_key: bool = False


@dataclass(frozen=True)
class Instance:
    """An object of a class of the file, or of one related to it."""

    family: cst.ClassDef


@dataclass(frozen=True)
class Class:
    """A class of the file itself."""

    family: cst.ClassDef


class Else(Enum):
    """What is no configuration."""

    NONE = "None"
    OTHER = "something else"


Possible = Builder | Config | Items | Instance | Class | Else
Possibilities = frozenset[Possible]
NOTHING: Possibilities = frozenset()
OTHER: Possibilities = frozenset({Else.OTHER})


def union(sets: Iterable[Possibilities]) -> Possibilities:
    return frozenset(value for values in sets for value in values)


class Origins:
    """Which origins belong together, because something may be the one or the other."""

    def __init__(self) -> None:
        self._parents: dict[cst.CSTNode, cst.CSTNode] = {}

    def together(self, origins: Iterable[cst.CSTNode]) -> None:
        roots = [self.root(origin) for origin in origins]
        for root in roots[1:]:
            self._parents[self.root(root)] = self.root(roots[0])

    def root(self, origin: cst.CSTNode) -> cst.CSTNode:
        while (parent := self._parents.get(origin, origin)) is not origin:
            origin = parent
        return origin
