"""Which checkpoints `tune.run` keeps, as its older arguments say it: they read as the configuration that replaced them.

tune.run(..., keep_checkpoints_num=2, checkpoint_score_attr="min-loss")

tune.run(..., checkpoint_config=tune.CheckpointConfig(
    num_to_keep=2, checkpoint_score_attribute="loss", checkpoint_score_order="min"
))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.rules.legacy_uses import call_sites
from migrate_trainers.rules.literals import is_none, string
from migrate_trainers.rules.tuning.reach import reach_of
from migrate_trainers.writing.arguments import ArgumentEdits, bound_arguments

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.source import Edit

_NUMBER, _SCORE, _CONFIG = "keep_checkpoints_num", "checkpoint_score_attr", "checkpoint_config"
_SMALLEST_FIRST = "min-"


def configurations_for_arguments(program: Program) -> list[Edit]:
    """The edits that write the configurations of the runs of trainers; none for what can't be read."""
    edits: list[Edit] = []
    for site in call_sites(program):
        for call in reach_of(program, site.call).tuners:
            arguments = bound_arguments(call, ("run_or_experiment",)) or {}
            if program.qualified_name(call.func) in legacy.TUNE_RUN and _CONFIG not in arguments:
                edits += _written(program, call, arguments)
    return edits


def _written(program: Program, call: cst.Call, arguments: dict[str, cst.Arg]) -> list[Edit]:
    given = [argument for name, argument in arguments.items() if name in (_NUMBER, _SCORE)]
    config_class = _class_name(program, call)
    parts: list[str] = []
    if (number := arguments.get(_NUMBER)) is not None:
        parts.append(f"num_to_keep={program.outer_text(number.value)}")
    if (score := arguments.get(_SCORE)) is not None and not is_none(score.value):
        attribute = string(score.value)
        if attribute is None:
            return []
        is_reversed = attribute.startswith(_SMALLEST_FIRST)
        text = program.text(score.value).replace(_SMALLEST_FIRST, "", is_reversed)
        parts += [f"checkpoint_score_attribute={text}", *(['checkpoint_score_order="min"'] if is_reversed else ())]
    if not given or config_class is None:
        return []
    edits = ArgumentEdits(program, call)
    edits.replace(given[0], f"{_CONFIG}={config_class}({', '.join(parts)})")
    for argument in given[1:]:
        edits.remove(argument)
    return edits.edits()


def _class_name(program: Program, call: cst.Call) -> str | None:
    """How code beside a call names the class of the configuration."""
    if isinstance(call.func, cst.Attribute) and program.qualified_name(call.func.value) == "ray.tune":
        return f"{program.text(call.func.value)}.CheckpointConfig"
    visible = (binding for bindings in program.module_scope.bindings.values() for binding in bindings)
    names = (one.name for one in visible if legacy.CONFIG_CLASSES.get(one.imported or "") == "CheckpointConfig")
    return next(names, None)
