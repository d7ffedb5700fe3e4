"""Whether Ray's own callback reports when TransformersTrainer did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.rules.checkpoints.contents import opens_checkpoints
from migrate_trainers.rules.checkpoints.families import TRANSFORMERS
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.transformers.mistakes import EVALUATION_STRATEGY
from migrate_trainers.rules.transformers.training_arguments import choice

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.transformers.training_arguments import GivenArguments, TrainersArguments

# Keys that transformers logs after the last save: only a report at the end has them.
_LAST_KEYS = frozenset(
    {"train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos"}
)
# What callbacks set, and methods call, in order to log, evaluate or save at other times.
_OTHER_TIMES = frozenset({"should_log", "should_evaluate", "should_save", "log"})


def reports_only_at_saves(program: Program, arguments: TrainersArguments) -> bool:
    """Whether everything happens at the ends of epochs, and nothing reads what only the last report had."""
    if not arguments.is_settled or not all(_happens_by_epoch(program, given) for given in arguments.given):
        return False
    if any(key.encode() in program.source.buffer for key in _LAST_KEYS):
        return False
    if any(attribute.attr.value in _OTHER_TIMES and _is_own(program, attribute) for attribute in program.attributes):
        return False
    # Ray's callback puts the files into a folder of the checkpoint, where the script wouldn't find them.
    return not opens_checkpoints(program, TRANSFORMERS)


def _happens_by_epoch(program: Program, given: GivenArguments) -> bool:
    strategies = [choice(program, given.value(name)) for name in ("save_strategy", "logging_strategy")]
    if given.hides_some or strategies != ["epoch", "epoch"]:
        return False
    evaluation = given.value(*EVALUATION_STRATEGY)
    first = given.value("logging_first_step")
    # Ray's callback takes the newest checkpoint of the folder, where an earlier run may have left a newer one.
    folder = string(given.value("output_dir")) or ""
    return (
        (evaluation is None or choice(program, evaluation) in ("epoch", "no"))
        and (first is None or (isinstance(first, cst.Name) and first.value == "False"))
        and not folder.startswith(("/", "~"))
    )


def _is_own(program: Program, attribute: cst.Attribute) -> bool:
    """Whether an attribute is of an object of the file's, and not of a module such as `numpy`."""
    return program.qualified_name(attribute) is None
