"""LightningPredictor, alone or in a BatchPredictor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal

if TYPE_CHECKING:
    from migrate_trainers.rules.checkpoints.readers import Readers


def migrate_predictors(readers: Readers) -> None:
    """Raise `Refusal` for every predictor."""
    program = readers.program
    for node in (*program.names, *program.attributes):
        if program.qualified_name(node) in legacy.READERS - legacy.LIGHTNING_CHECKPOINTS:
            raise Refusal("MT125", node, f"`{program.text(node)}`")
