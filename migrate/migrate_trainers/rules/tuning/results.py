"""What the driver reads of trials: current Ray's Tune sees reports and not checkpoints, and another configuration.

best.checkpoint                  Checkpoint(best.metrics["checkpoint_path"])
best.config["lightning_config"]["_module_init_config"]["lr"]      best.config["train_loop_config"]["lr"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.held import Holdings
from migrate_trainers.rules.checkpoints.kinds import Held
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.tuning.driver import LOOP_CONFIG
from migrate_trainers.rules.tuning.sites import is_population

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import Rewrite

_CONFIG, _MODULE = "lightning_config", "_module_init_config"
_CHECKPOINT_READERS = ("best_checkpoints", "get_best_checkpoint")
# How Tune flattens keys, in a data frame's columns and in reports.
_FLAT = f"{_CONFIG}/{_MODULE}/"


def migrate_results(rewrite: Rewrite) -> None:
    """Rewrite the readers of trials' results; raises `Refusal` for those that find nothing there any more."""
    held = Holdings(rewrite.program)
    if rewrite.settings.strict_target and not is_population(rewrite.program):
        _migrate_checkpoints(rewrite, held)
    _migrate_keys(rewrite)


def _migrate_checkpoints(rewrite: Rewrite, held: Holdings) -> None:
    program = rewrite.program
    for attribute in sorted(program.attributes, key=lambda node: program.span(node)[0]):
        if attribute.attr.value in _CHECKPOINT_READERS and held.of(attribute.value) is Held.TRIAL:
            raise Refusal("MT501", attribute, "Tune no longer holds the best checkpoints of a trial")
        if attribute.attr.value == "checkpoint" and held.of(attribute.value) is Held.TRIAL:
            checkpoint = rewrite.class_named("ray.train.Checkpoint")
            text = f'{checkpoint}({rewrite.text_of(attribute.value)}.metrics["checkpoint_path"])'
            rewrite.edits.append(Edit(*program.span(attribute), text))
            rewrite.review("MT503", attribute, "")


def _migrate_keys(rewrite: Rewrite) -> None:
    """Name the train function's config where the script looks into a trial's configuration."""
    program = rewrite.program
    for node in program.strings:
        text = string(node)
        if text == _CONFIG and (inner := _subscript_of(rewrite, node)) is not None:
            outer = program.parent(inner)
            if isinstance(outer, cst.Subscript) and outer.value is inner and _key(outer) == _MODULE:
                quoted = program.text(inner.slice[0]).replace(_CONFIG, LOOP_CONFIG)
                rewrite.edits.append(Edit(program.span(inner.slice[0])[0], program.span(outer)[1] - 1, quoted))
        elif text is not None and _FLAT in text:
            rewrite.edits.append(Edit(*program.span(node), program.text(node).replace(_FLAT, f"{LOOP_CONFIG}/")))


def _subscript_of(rewrite: Rewrite, node: cst.CSTNode) -> cst.Subscript | None:
    """The subscript whose index a string is."""
    index = rewrite.program.parent(node)
    element = rewrite.program.parent(index) if isinstance(index, cst.Index) else None
    found = rewrite.program.parent(element) if element is not None else None
    return found if isinstance(found, cst.Subscript) else None


def _key(node: cst.Subscript) -> str | None:
    index = node.slice[0].slice
    return string(index.value) if isinstance(index, cst.Index) else None
