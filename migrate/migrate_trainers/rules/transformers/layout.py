"""Where the checkpoints of a file's TransformersTrainers have the files of the model, once they are TorchTrainers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.reading import legacy
from migrate_trainers.rules.transformers.schedule import reports_only_at_saves
from migrate_trainers.rules.transformers.site import OWN_ARGUMENTS
from migrate_trainers.rules.transformers.training_arguments import read_training_arguments
from migrate_trainers.writing.arguments import bound_arguments
from migrate_trainers.writing.pretrained_templates import CHECKPOINT_FOLDER

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program


def checkpoint_folders(program: Program) -> set[str]:
    """The folders below checkpoints: that of Ray's callback, or none where a class of the file keeps the old place."""
    folders = set()
    for call in program.calls:
        if legacy.TRAINERS.get(program.qualified_name(call.func) or "") == legacy.TRANSFORMERS_TRAINER:
            init = (bound_arguments(call, OWN_ARGUMENTS[:1]) or {}).get(OWN_ARGUMENTS[0])
            by_ray = init is not None and reports_only_at_saves(program, read_training_arguments(program, init.value))
            folders.add(CHECKPOINT_FOLDER if by_ray else "")
    return folders
