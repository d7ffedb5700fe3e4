"""Where the checkpoints of a file's TransformersTrainers have the files of the model, once they are TorchTrainers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.reading import legacy
from migrate_trainers.rules.transformers.training_arguments import reports_only_at_saves, training_arguments
from migrate_trainers.writing.pretrained_templates import CHECKPOINT_FOLDER

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program


def checkpoint_folders(program: Program) -> set[str]:
    """The folders below checkpoints: that of Ray's callback, or none where a class of the file keeps the old place."""
    return {
        CHECKPOINT_FOLDER if reports_only_at_saves(program, training_arguments(program)) else ""
        for call in program.calls
        if legacy.TRAINERS.get(program.qualified_name(call.func) or "") == legacy.TRANSFORMERS_TRAINER
    }
