"""Everything that reads what legacy trainers left, in the order in which one rule's output is another's input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.rules.checkpoints.batch_predictors import migrate_batch_predictors
from migrate_trainers.rules.checkpoints.classes import migrate_class_names, migrate_classes, migrate_plain_classes
from migrate_trainers.rules.checkpoints.dictionaries import migrate_dictionaries
from migrate_trainers.rules.checkpoints.families import LIGHTNING, TRANSFORMERS, families_in
from migrate_trainers.rules.checkpoints.first_worker import keep_first_worker
from migrate_trainers.rules.checkpoints.models import migrate_models
from migrate_trainers.rules.checkpoints.predictors import migrate_predictors
from migrate_trainers.rules.checkpoints.pretrained import migrate_pretrained
from migrate_trainers.rules.checkpoints.readers import Readers
from migrate_trainers.rules.checkpoints.removed import refuse_removed_methods
from migrate_trainers.rules.checkpoints.results import migrate_results, review_folder_names
from migrate_trainers.rules.checkpoints.uploads import migrate_uploads

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import Rewrite

_LOADED = {LIGHTNING: migrate_models, TRANSFORMERS: migrate_pretrained}


def migrate_readers(rewrite: Rewrite) -> None:
    """Rewrite the readers of a program; raises `Refusal` for the first that can't be."""
    readers = [Readers(rewrite, family) for family in families_in(rewrite.program)]
    for own in readers:
        migrate_dictionaries(own)
        keep_first_worker(own)
        migrate_classes(own)
        if own.family in _LOADED:
            _LOADED[own.family](own)
    for own in readers[:1]:
        migrate_plain_classes(own)
    migrate_uploads(readers)
    migrate_batch_predictors(rewrite, readers)
    for own in readers:
        migrate_predictors(own)
        migrate_class_names(own)
        migrate_results(own)
    review_folder_names(rewrite)
    refuse_removed_methods(rewrite.program, readers)
    for own in readers:
        own.write_definitions()
