"""`TrainingArguments(...)`: what TransformersTrainer read from it and changed in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.rules.checkpoints.contents import opens_checkpoints
from migrate_trainers.rules.checkpoints.families import TRANSFORMERS

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

_TRAINING_ARGUMENTS = frozenset(
    {
        f"{module}.{name}"
        for module in ("transformers", "transformers.training_args", "transformers.training_args_seq2seq")
        for name in ("TrainingArguments", "Seq2SeqTrainingArguments")
    }
)
_STRATEGIES = ("evaluation_strategy", "eval_strategy")
# Keys that transformers logs after the last save: only a report at the end has them.
_LAST_KEYS = frozenset(
    {"train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos"}
)


def training_arguments(program: Program) -> list[cst.Call]:
    """The `TrainingArguments(...)` calls of the file."""
    return [call for call in program.calls if program.qualified_name(call.func) in _TRAINING_ARGUMENTS]


def reports_only_at_saves(program: Program, calls: list[cst.Call]) -> bool:
    """Whether Ray's callback reports when TransformersTrainer did: everything happens at the ends of epochs."""
    if len(calls) != 1:
        return False
    call = calls[0]
    if any(argument.star or (argument.keyword is None and index > 0) for index, argument in enumerate(call.args)):
        return False
    keywords = {argument.keyword.value: argument.value for argument in call.args if argument.keyword is not None}
    if not (
        _is_string(keywords.get("save_strategy"), "epoch") and _is_string(keywords.get("logging_strategy"), "epoch")
    ):
        return False
    if any(name in keywords and not _is_string(keywords[name], "epoch", "no") for name in _STRATEGIES):
        return False
    if any(key.encode() in program.source.buffer for key in _LAST_KEYS):
        return False
    # Ray's callback puts the files into a folder of the checkpoint, where the script wouldn't find them.
    return not opens_checkpoints(program, TRANSFORMERS)


def adapt_training_arguments(rewrite: Rewrite, init: cst.Arg, calls: list[cst.Call], *, guide_form: bool) -> None:
    """Give the `TrainingArguments(...)` calls what TransformersTrainer did by itself, and say what changes."""
    if not calls:
        rewrite.review("MT213", init, "")
    if guide_form:
        rewrite.review("MT214", init, "")
    else:
        rewrite.review("MT210", init, "")
    for call in calls:
        if call in rewrite.adapted:
            continue
        rewrite.adapted.add(call)
        keywords = {argument.keyword.value: argument for argument in call.args if argument.keyword is not None}
        for name in ("evaluation_strategy", "no_cuda"):
            if name in keywords:
                rewrite.review("MT212", keywords[name], f"`{name}`")
        if "average_tokens_across_devices" not in keywords:
            rewrite.review("MT215", call.func, "")
        if "report_to" in keywords:
            if not _is_string(keywords["report_to"].value, "none") and not _is_empty_list(keywords["report_to"].value):
                rewrite.review("MT211", keywords["report_to"], "")
        elif any(argument.star for argument in call.args):
            rewrite.review("MT213", call, "its keywords are only known when it runs")
        else:
            rewrite.arguments_of(call).append(lambda _: 'report_to="none"')


def _is_string(node: cst.BaseExpression | None, *values: str) -> bool:
    return isinstance(node, cst.SimpleString) and node.evaluated_value in values


def _is_empty_list(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.List) and not node.elements
