"""Lightning-, Torch- and TransformersPredictor become classes of the script, with the methods that Ray's had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.dictionaries import review_old
from migrate_trainers.rules.checkpoints.families import ACCELERATE, TRANSFORMERS
from migrate_trainers.rules.checkpoints.kinds import Held
from migrate_trainers.rules.checkpoints.predictor_classes import predictor_class
from migrate_trainers.rules.legacy_uses import reader_references
from migrate_trainers.rules.literals import is_none
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from migrate_trainers.rules.checkpoints.readers import Readers

# How a file says that its pipeline takes whole data frames.
_TABLES = (b"table-question-answering", b"TableQuestionAnsweringPipeline")


def migrate_predictors(readers: Readers) -> None:
    """Rewrite the predictors of a file that take one batch; raises `Refusal` for the first that can't be followed."""
    for node in reader_references(readers.program):
        if readers.program.qualified_name(node) in readers.family.predictors and node not in readers.explained:
            _write_class(readers, node)


def _write_class(readers: Readers, node: cst.Name | cst.Attribute) -> None:
    """A predictor's class, wherever it is named: the script's own class has its methods."""
    program, rewrite, family = readers.program, readers.rewrite, readers.family
    above = program.parent(node)
    made = program.parent(above) if isinstance(above, cst.Attribute) else above
    if isinstance(made, cst.Call) and made.func in (node, above):
        rewrite.review(family.predicts, node, "")
    if isinstance(made, cst.Call) and made.func is node:
        drop_preprocessor(readers, made, position=1)
        if family is TRANSFORMERS:
            _drop_use_gpu(readers, made)
    elif isinstance(made, cst.Call) and made.func is above and is_from_checkpoint(made):
        check_predictor(readers, made, _checkpoint(made))
        drop_preprocessor(readers, made)
    elif program.enclosing(node, cst.Annotation) is None:
        raise Refusal(family.unfollowed, node, f"`{program.text(node)}` is used without being constructed")
    readers.explain(node)
    readers.edit(node, Edit(*program.span(node), predictor_class(readers, node)))


def is_from_checkpoint(made: cst.Call) -> bool:
    return isinstance(made.func, cst.Attribute) and made.func.attr.value == "from_checkpoint"


def _checkpoint(made: cst.Call) -> cst.BaseExpression | None:
    arguments = [one for one in made.args if one.keyword is None or one.keyword.value == "checkpoint"]
    return arguments[0].value if arguments else None


def check_predictor(readers: Readers, made: cst.Call, checkpoint: cst.BaseExpression | None) -> None:
    """Refuse a predictor that did more than the script's class does."""
    program = readers.program
    if checkpoint is not None and readers.held.of(checkpoint) is Held.CHECKPOINT:
        for call in program.calls:
            given = [one for one in call.args if one.keyword is not None and one.keyword.value == "preprocessor"]
            is_trainer = legacy.TRAINERS.get(program.qualified_name(call.func) or "") == readers.family.trainer
            if is_trainer and given and not is_none(given[0].value):
                raise Refusal(readers.family.unfollowed, made, "it applied the preprocessor of the trainer")
    if checkpoint is not None and readers.family is ACCELERATE:
        review_old(readers, checkpoint)
    if readers.family is TRANSFORMERS and any(name in program.source.buffer for name in _TABLES):
        raise Refusal(readers.family.unfollowed, made, "its pipeline takes tables")


def drop_preprocessor(readers: Readers, made: cst.Call, position: int | None = None) -> None:
    """Take out `preprocessor=None`, also at a position; raises `Refusal` for a preprocessor."""
    for index, argument in enumerate(made.args):
        if argument.star and position is not None:
            raise Refusal("MT104", argument, f"the arguments of `{readers.program.text(made.func)}`")
        is_named = argument.keyword is not None and argument.keyword.value == "preprocessor"
        if is_named or (argument.keyword is None and index == position):
            if not is_none(argument.value):
                raise Refusal("MT403", argument, "`preprocessor=...`")
            readers.rewrite.arguments_of(made).remove(argument)


def _drop_use_gpu(readers: Readers, made: cst.Call) -> None:
    """`use_gpu` of a predictor that is given its pipeline said nothing: the pipeline is where it is."""
    argument = (bound_arguments(made, ("pipeline", "preprocessor", "use_gpu")) or {}).get("use_gpu")
    if argument is None:
        return
    if not isinstance(argument.value, cst.Name | cst.Attribute):
        raise Refusal(readers.family.unfollowed, argument, "`use_gpu=...` is more than a name")
    readers.rewrite.arguments_of(made).remove(argument)
