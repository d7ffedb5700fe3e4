"""What a `ModelCheckpoint` has chosen, where the checkpoints that Ray's callback reports give the same choice.

Both save at the end of each epoch of training; Ray keeps all of them.

best.best_model_path      os.path.join(result.get_best_checkpoint("loss", "min").path, "checkpoint.ckpt")
best.last_model_path      os.path.join(result.checkpoint.path, "checkpoint.ckpt")
best.best_model_score     min(metrics["loss"] for _, metrics in result.best_checkpoints)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.framework import Reader
from migrate_trainers.adopting.lightning_strategies import is_ddp
from migrate_trainers.adopting.lightning_uses import holders, number_of
from migrate_trainers.adopting.result_reads import best_score, checkpoint_path
from migrate_trainers.reading.values import lightning_name
from migrate_trainers.rules.literals import is_none, string
from migrate_trainers.rules.tuning.reach import assigned_variable, uses_of
from migrate_trainers.writing.arguments import bound_arguments, keyword_argument

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.adopting.framework import TrainingSite
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

_POSITIONAL = ("dirpath", "filename", "monitor", "verbose", "save_last", "save_top_k", "save_weights_only", "mode")
# Arguments that change neither when it saves nor what it chooses, and those that do with another value than these.
_HARMLESS = frozenset(
    {"auto_insert_metric_name", "dirpath", "enable_version_counter", "filename", "save_weights_only", "verbose"}
)
_USUAL = {
    "every_n_epochs": {"None", "1"},
    "every_n_train_steps": {"None", "0"},
    "save_on_exception": {"False"},
    "save_on_train_epoch_end": {"None", "True"},
    "train_time_interval": {"None"},
}
# Arguments of a trainer by which it validates, or saves, at other times.
_OTHER_TIMES = ("check_val_every_n_epoch", "fast_dev_run", "val_check_interval", "reload_dataloaders_every_n_epochs")
# Methods in which code may change what is saved, or measured, between Ray's callback and the `ModelCheckpoint`.
_HOOKS = frozenset({"configure_callbacks", "on_train_epoch_end", "on_validation_model_train"})
_ATTRIBUTES = frozenset({"best_model_path", "best_model_score", "last_model_path"})
_OTHERS = frozenset({"best_k_models", "current_score", "dirpath", "kth_best_model_path", "kth_value", "state_dict"})
_CALLBACK = "ray.train.lightning.RayTrainReportCallback"


@dataclass(frozen=True)
class _Choice:
    """What a `ModelCheckpoint` keeps: the best by a metric, or without one the last; whether it has the last, too."""

    monitor: str | None = None
    mode: str = "min"
    keeps_last: bool = False


def checkpoint_readers(program: Program, sites: Sequence[TrainingSite]) -> Iterator[Reader]:
    """Where a script reads what its `ModelCheckpoint` has chosen, with the reason where the reports can't tell."""
    made = [call for call in program.calls if _is_checkpoint(program, call)]
    reason = _reason(program, sites)
    for call in made:
        variable = assigned_variable(program, call)
        choice = reason or _choice(program, call)
        for use in uses_of(program, variable) if variable is not None else ():
            yield from _readers(program, use, choice)
    for site in sites:
        assert isinstance(site.node, cst.Call)
        several = "the script makes several `ModelCheckpoint`s" if len(made) > 1 else ""
        choice = reason or several or (_choice(program, made[0]) if made else _default(program, site.node))
        for held in holders(program, site.node):
            attribute = program.parent(held)
            if isinstance(attribute, cst.Attribute) and attribute.attr.value == "checkpoint_callback":
                yield from _readers(program, attribute, choice)


def _is_checkpoint(program: Program, call: cst.Call) -> bool:
    name = lightning_name(program.qualified_name(call.func)) or ""
    return name.startswith("callbacks.") and name.endswith(".ModelCheckpoint")


def _readers(program: Program, callback: cst.BaseExpression, choice: _Choice | str) -> Iterator[Reader]:
    """What is read of an expression that is the callback."""
    attribute = program.parent(callback)
    name = attribute.attr.value if isinstance(attribute, cst.Attribute) else ""
    if not isinstance(attribute, cst.Attribute) or name not in _ATTRIBUTES | _OTHERS:
        return
    text, why = None, choice if isinstance(choice, str) else f"no report tells the `{name}`"
    if isinstance(choice, _Choice) and _is_told(program, name, choice):
        text = partial(_text, name, choice)
    if name == "best_model_score":
        yield Reader(number_of(program, attribute), text, why)
    else:
        yield Reader(attribute, text, why, f"{name.partition('_')[0]}_checkpoint_path")


def _is_told(program: Program, name: str, choice: _Choice) -> bool:
    """Whether the reports tell an attribute of the callback."""
    if name == "best_model_score":
        return choice.monitor is not None and choice.mode not in program.all_bound_names()
    return name == "best_model_path" or (name == "last_model_path" and choice.keeps_last)


def _text(name: str, choice: _Choice, rewrite: Rewrite, result: str) -> str:
    best = (choice.monitor, choice.mode) if choice.monitor is not None else None
    if name == "best_model_score" and best is not None:
        return best_score(*best, rewrite, result)
    return checkpoint_path(_CALLBACK, best if name == "best_model_path" else None, rewrite, result)


def _reason(program: Program, sites: Sequence[TrainingSite]) -> str:
    """Why the reports of a training may be others than what a `ModelCheckpoint` saves; empty where they are not."""
    if len(sites) > 1:
        return "several trainers have written checkpoints"
    (site,) = sites
    assert isinstance(site.node, cst.Call)
    given = next((one for name in _OTHER_TIMES if (one := keyword_argument(site.node, name)) is not None), None)
    if given is not None and given.keyword is not None:
        return f"with `{given.keyword.value}`, the trainer saves at other times than Ray's callback reports"
    if any(one.star for one in site.node.args) or not is_ddp(program, site.node):
        return "the trainer may save otherwise than Ray's callback"
    for scope in program.all_scopes():
        if isinstance(scope.node, cst.FunctionDef) and scope.node.name.value in _HOOKS:
            return f"`{scope.node.name.value}` runs between Ray's callback and the `ModelCheckpoint`"
    fits = [run for run in site.runs if isinstance(run, cst.Call) and _is_fit(run)]
    if len(fits) != 1 or program.loop_around(fits[0]) is not None:
        return "the script fits several times"
    if program.enclosing(fits[0], cst.If) is not program.enclosing(site.node, cst.If):
        return "the script may not train"
    resumed = keyword_argument(fits[0], "ckpt_path")
    return "" if resumed is None or is_none(resumed.value) else "the training goes on from a checkpoint"


def _is_fit(run: cst.Call) -> bool:
    """Whether a call trains, or may: a function that is given the trainer."""
    return not isinstance(run.func, cst.Attribute) or run.func.attr.value not in ("predict", "test", "validate")


def _choice(program: Program, made: cst.Call) -> _Choice | str:
    """What a `ModelCheckpoint` keeps, or why Ray's reports are not the same."""
    given = bound_arguments(made, _POSITIONAL)
    if given is None:
        return "the arguments of the `ModelCheckpoint` can't be read"
    for name, argument in given.items():
        text = program.text(argument.value)
        if name in _USUAL and text not in _USUAL[name]:
            return f"with `{name}={text}`, the `ModelCheckpoint` saves at other times than Ray's callback reports"
        if name not in _USUAL and name not in _HARMLESS | {"mode", "monitor", "save_last", "save_top_k"}:
            return f"what `{name}` does to the `ModelCheckpoint` isn't known"
    monitor, mode = (string(given[name].value) if name in given else None for name in ("monitor", "mode"))
    if "monitor" in given and monitor is None and not is_none(given["monitor"].value):
        return "what the `ModelCheckpoint` monitors is only known when it runs"
    number = program.text(given["save_top_k"].value) if "save_top_k" in given else "1"
    if ("mode" in given and mode not in ("min", "max")) or not number.removeprefix("-").isdigit() or number == "0":
        return "what the `ModelCheckpoint` keeps is only known when it runs"
    if any(mark in (monitor or "") for mark in '"\\'):
        return "the name of the metric needs quotes"
    last = program.text(given["save_last"].value) if "save_last" in given else ""
    # Lightning writes it only where it has just saved another one: not in an epoch that is none of the best.
    saves_all = monitor is None or number == "-1"
    return _Choice(monitor, mode or "min", keeps_last=saves_all and last in ("True", '"link"', "'link'"))


def _default(program: Program, trainer: cst.Call) -> _Choice | str:
    """What Lightning's own `ModelCheckpoint` keeps, if no other can be among the callbacks."""
    given = keyword_argument(trainer, "callbacks")
    value = given.value if given is not None else None
    value = (program.assigned_value(value) or value) if isinstance(value, cst.Name) else value
    items = [one.value for one in value.elements] if isinstance(value, cst.List) else [value] if value else []
    for item in items:
        made = (program.assigned_value(item) or item) if isinstance(item, cst.Name) else item
        name = lightning_name(program.qualified_name(made.func)) if isinstance(made, cst.Call) else None
        if name is None or not name.startswith("callbacks."):
            return "a callback may be a `ModelCheckpoint` that can't be seen"
    return _Choice()
