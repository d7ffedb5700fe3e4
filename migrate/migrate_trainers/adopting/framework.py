"""What a framework's module says of a program: where it trains, how its calls change, what its results are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import libcst as cst

    from migrate_trainers.adopting.region import Region
    from migrate_trainers.findings import Finding
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.settings import Settings


@dataclass(frozen=True)
class TrainingSite:
    """One training: what findings point at (the call that makes a trainer, say), and the calls or loops that train."""

    node: cst.CSTNode
    runs: tuple[cst.CSTNode, ...]


@dataclass(frozen=True)
class Reader:
    """An expression that reads what a training has left, and how the driver reads it from its `Result`.

    `text` gives the code for that, by the name of the `Result`. Without it, only a worker can tell, and `why` says so.
    `variable` is what the driver calls a value that is too long to be written where it is read.
    """

    node: cst.BaseExpression
    text: Callable[[Rewrite, str], str] | None
    why: str = ""
    variable: str = ""


@dataclass(frozen=True)
class Framework:
    """One way of training.

    `code` is the finding of an adopted site. `sites` gives what is not adopted yet, and raises `Refusal` for what
    can't be; `prepare` is a first step, whose edits are made before everything else is read. `adopt` notes the edits of
    one site where it stands, by the `Rewrite` and where it trains; they move with their statements. It gives the
    definitions that have to stand above the train function. `readers` gives the expressions behind the training that
    need not move with it, `in_worker` what only workers can evaluate, each of them.
    """

    code: str
    sites: Callable[[Program], Sequence[TrainingSite]]
    adopt: Callable[[Rewrite, Region, TrainingSite], Sequence[str]]
    readers: Callable[[Program, Sequence[TrainingSite]], Sequence[Reader]]
    in_worker: Callable[[Program], Sequence[cst.CSTNode]] = lambda program: ()
    prepare: Callable[[Program, Settings], tuple[Program, Sequence[Finding]]] = lambda program, settings: (program, ())
