"""The legacy trainers by what reads their checkpoints: classes of their own, and the findings about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.reading import legacy

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program


@dataclass(frozen=True)
class Family:
    """A trainer, and the classes of its checkpoints and predictors.

    The findings: something is `loaded` from a checkpoint, it is `unseen` what is done with one, a class of the script
    `predicts`, a predictor is `unfollowed`.
    """

    trainer: str
    checkpoints: frozenset[str] = frozenset()
    predictors: frozenset[str] = frozenset()
    loaded: str = ""
    unseen: str = "MT401"
    predicts: str = ""
    unfollowed: str = ""

    @property
    def names(self) -> frozenset[str]:
        trainers = {name for name, trainer in legacy.TRAINERS.items() if trainer == self.trainer}
        return self.checkpoints | self.predictors | trainers

    def is_in(self, program: Program) -> bool:
        """Whether a program imports the trainer or a class that reads its checkpoints."""
        return not self.names.isdisjoint(program.reached_names)


LIGHTNING = Family(
    legacy.LIGHTNING_TRAINER,
    legacy.LIGHTNING_CHECKPOINTS,
    legacy.LIGHTNING_PREDICTORS,
    loaded="MT410",
    unseen="MT411",
    predicts="MT126",
    unfollowed="MT125",
)
TRANSFORMERS = Family(
    legacy.TRANSFORMERS_TRAINER,
    legacy.TRANSFORMERS_CHECKPOINTS,
    legacy.TRANSFORMERS_PREDICTORS,
    loaded="MT420",
    unseen="MT421",
    predicts="MT422",
    unfollowed="MT423",
)
# Its checkpoints are what the user's own train function reports: folders, or dictionaries.
ACCELERATE = Family(
    legacy.ACCELERATE_TRAINER,
    legacy.TORCH_CHECKPOINTS,
    legacy.TORCH_PREDICTORS,
    loaded="MT431",
    predicts="MT432",
    unfollowed="MT433",
)


def families_in(program: Program) -> list[Family]:
    """The families of which a program imports something; without any, its train functions are the user's own."""
    return [family for family in (LIGHTNING, TRANSFORMERS, ACCELERATE) if family.is_in(program)] or [ACCELERATE]
