"""Everything that reads what a LightningTrainer left, in the order in which one rule's output is another's input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.rules.checkpoints.classes import migrate_class_names, migrate_classes
from migrate_trainers.rules.checkpoints.held import Holdings
from migrate_trainers.rules.checkpoints.models import migrate_models
from migrate_trainers.rules.checkpoints.predictors import migrate_predictors
from migrate_trainers.rules.checkpoints.readers import Readers
from migrate_trainers.rules.checkpoints.removed import refuse_removed_methods
from migrate_trainers.rules.checkpoints.results import migrate_results

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import Rewrite


def migrate_readers(rewrite: Rewrite) -> None:
    """Rewrite the readers of a program; raises `Refusal` for the first that can't be."""
    readers = Readers(rewrite, Holdings(rewrite.program))
    migrate_classes(readers)
    migrate_models(readers)
    migrate_predictors(readers)
    migrate_class_names(readers)
    migrate_results(readers)
    refuse_removed_methods(readers)
    readers.write_definitions()
