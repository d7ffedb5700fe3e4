"""What the driver reads of trials: current Ray's Tune sees reports and not checkpoints, and another configuration.

best.checkpoint                  Checkpoint(best.metrics["checkpoint_path"])
best.config["lightning_config"]["_module_init_config"]["lr"]      best.config["train_loop_config"]["lr"]
best.config["trainer_init_config"]["lr"]                          best.config["train_loop_config"]["lr"]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.families import families_in
from migrate_trainers.rules.checkpoints.held import Holdings
from migrate_trainers.rules.checkpoints.kinds import Held
from migrate_trainers.rules.legacy_uses import module_level_import
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.tuning.schedulers import starts_trials_again
from migrate_trainers.rules.tuning.trial_config import LOOP_CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

_CONFIG = "lightning_config"
# The parts of a built configuration, by the builder's method that fills them.
_METHODS = {
    "_module_init_config": "module",
    "_trainer_init_config": "trainer",
    "_trainer_fit_params": "fit",
    "_strategy_config": "strategy",
    "_model_checkpoint_config": "checkpointing",
}
# The key of TransformersTrainer's configuration, and how Tune flattens what is below it.
_INIT_CONFIG = "trainer_init_config"
_FLAT_INIT = re.compile(f"(?<![^/\"']){_INIT_CONFIG}(?=/)")
# What asks Tune for the checkpoints of a trial, or for the folder that it used to keep them in.
_CHECKPOINT_READERS = {
    Held.TRIAL: ("best_checkpoints", "get_best_checkpoint"),
    Held.ANALYSIS: ("best_checkpoint", "get_best_checkpoint", "get_last_checkpoint", "get_trial_checkpoints_paths"),
    Held.ANALYSED_TRIAL: ("checkpoint", "get_trial_checkpoints"),
}
_FOLDERS = {
    Held.TRIAL: ("path", "log_dir"),
    Held.ANALYSIS: ("best_logdir", "get_best_logdir"),
    Held.ANALYSED_TRIAL: ("logdir", "local_path", "path"),
}
# How Tune flattens keys, in a data frame's columns and in reports.
_FLAT = re.compile(f"{_CONFIG}/({'|'.join(_METHODS)})/")


def migrate_results(rewrite: Rewrite) -> None:
    """Rewrite the readers of trials' results; raises `Refusal` for those that find nothing there any more."""
    program = rewrite.program
    if rewrite.settings.strict_target and not starts_trials_again(rewrite.program):
        for family in families_in(program):
            _migrate_checkpoints(rewrite, Holdings(program, family))
    _migrate_keys(rewrite)
    if any(
        legacy.TRAINERS.get(program.qualified_name(call.func) or "") == legacy.TRANSFORMERS_TRAINER
        for call in program.calls
    ):
        _migrate_init_keys(rewrite)


def _migrate_checkpoints(rewrite: Rewrite, held: Holdings) -> None:
    program = rewrite.program
    for attribute in sorted(program.attributes, key=lambda node: program.span(node)[0]):
        read, holder = attribute.attr.value, held.of(attribute.value)
        if not isinstance(holder, Held):
            continue
        if read in _CHECKPOINT_READERS.get(holder, ()):
            raise Refusal("MT501", attribute, "Tune no longer holds the best checkpoints of a trial")
        if read in _FOLDERS.get(holder, ()):
            rewrite.review("MT507", attribute, "")
        if read == "checkpoint" and holder is Held.TRIAL:
            checkpoint = _checkpoint_class(rewrite, attribute)
            text = f'{checkpoint}({rewrite.text_of(attribute.value)}.metrics["checkpoint_path"])'
            rewrite.edits.append(Edit(*program.span(attribute), text))
            rewrite.review("MT503", attribute, "")


def _checkpoint_class(rewrite: Rewrite, node: cst.CSTNode) -> str:
    """How the code at a node names the class of checkpoints."""
    if rewrite.imports.reaches(node):
        return rewrite.class_named("ray.train.Checkpoint")
    place = module_level_import(rewrite.program, node)
    if place is None:
        raise Refusal("MT501", node, "nothing is imported where this code could read it")
    with rewrite.imports.standing_at(place):
        return rewrite.class_named("ray.train.Checkpoint")


def _migrate_keys(rewrite: Rewrite) -> None:
    """Name the train function's config where the script looks into a trial's configuration."""
    program = rewrite.program
    for read in configuration_reads(program):
        if isinstance(read.node, cst.SimpleString):
            text = _FLAT.sub(f"{LOOP_CONFIG}/", program.text(read.node))
            rewrite.edits.append(Edit(*program.span(read.node), text))
        elif read.method is None:
            raise Refusal("MT501", read.node, "what is read of a trial's configuration can't be followed")
        else:
            inner = read.node.value
            assert isinstance(inner, cst.Subscript)
            quoted = program.text(inner.slice[0]).replace(_CONFIG, LOOP_CONFIG)
            rewrite.edits.append(Edit(program.span(inner.slice[0])[0], program.span(read.node)[1] - 1, quoted))


def _migrate_init_keys(rewrite: Rewrite) -> None:
    """The same for the keys of TransformersTrainer's configuration."""
    program = rewrite.program
    for node in program.strings:
        text = string(node)
        if text is None or not isinstance(node, cst.SimpleString):
            continue
        if _FLAT_INIT.search(text):
            rewrite.edits.append(Edit(*program.span(node), _FLAT_INIT.sub(LOOP_CONFIG, program.text(node))))
        base = _looked_into(program, node) if text == _INIT_CONFIG else None
        if base is not None and _is_configuration(program, base):
            quoted = program.text(node).replace(_INIT_CONFIG, LOOP_CONFIG)
            rewrite.edits.append(Edit(*program.span(node), quoted))
        elif base is not None and _may_be_configuration(program, base):
            raise Refusal("MT501", node, "what is read of a trial's configuration can't be followed")


def _looked_into(program: Program, key: cst.SimpleString) -> cst.BaseExpression | None:
    """What a string is a key of: by a subscript, or as the first argument of `get` or `pop`."""
    subscript = _subscript_of(program, key)
    if subscript is not None:
        return subscript.value
    argument = program.parent(key)
    call = program.parent(argument) if isinstance(argument, cst.Arg) else None
    if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and call.args[0] is argument:
        return call.func.value if call.func.attr.value in ("get", "pop") else None
    return None


def _may_be_configuration(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an expression may be a trial's configuration: nothing else was assigned to it in this file."""
    if not isinstance(node, cst.Name):
        return True
    return any(binding.value is None for binding in program.bindings(node))


@dataclass(frozen=True)
class ConfigurationRead:
    """Where a script looks into a trial's configuration: the keyword of one builder's method, or all of its keywords.

    `node` is the subscript that gives the method's keywords, or a key of all in one string.
    """

    node: cst.Subscript | cst.SimpleString
    method: str | None
    name: str | None = None


def configuration_reads(program: Program) -> Iterator[ConfigurationRead]:
    """Every place that reads what the search space's configuration held, as Tune gave it with the results."""
    for node in program.strings:
        text = string(node)
        if text is not None and isinstance(node, cst.SimpleString):
            for found in _FLAT.finditer(text):
                yield ConfigurationRead(node, _METHODS[found[1]], text[found.end() :].partition("/")[0] or None)
        inner = _subscript_of(program, node) if text == _CONFIG else None
        if inner is None:
            continue
        outer = program.parent(inner)
        is_read = isinstance(outer, cst.Subscript) and outer.value is inner
        method = _METHODS.get(_key(outer) or "") if isinstance(outer, cst.Subscript) and is_read else None
        if isinstance(outer, cst.Subscript) and method is not None:
            above = program.parent(outer)
            is_item = isinstance(above, cst.Subscript) and above.value is outer
            yield ConfigurationRead(
                outer, method, _key(above) if isinstance(above, cst.Subscript) and is_item else None
            )
        elif _is_configuration(program, inner.value):
            yield ConfigurationRead(inner, None)


def _is_configuration(program: Program, node: cst.BaseExpression) -> bool:
    """Whether an expression is the `config` of a result, of its metrics or of the best one, or a variable of that."""
    value = _assigned(program, node)
    if isinstance(value, cst.Subscript):
        metrics = _assigned(program, value.value)
        return _key(value) == "config" and isinstance(metrics, cst.Attribute) and metrics.attr.value == "metrics"
    if isinstance(value, cst.Call):
        return isinstance(value.func, cst.Attribute) and value.func.attr.value == "get_best_config"
    return isinstance(value, cst.Attribute) and value.attr.value in ("config", "best_config")


def _assigned(program: Program, node: cst.BaseExpression) -> cst.BaseExpression | None:
    """What a variable is assigned, if nothing else is; any other expression itself."""
    if not isinstance(node, cst.Name):
        return node
    values = [binding.value for binding in program.bindings(node)]
    return values[0] if len(values) == 1 else None


def _subscript_of(program: Program, node: cst.CSTNode) -> cst.Subscript | None:
    """The subscript whose index a string is."""
    index = program.parent(node)
    element = program.parent(index) if isinstance(index, cst.Index) else None
    found = program.parent(element) if element is not None else None
    return found if isinstance(found, cst.Subscript) else None


def _key(node: cst.Subscript) -> str | None:
    index = node.slice[0].slice
    return string(index.value) if isinstance(index, cst.Index) else None
