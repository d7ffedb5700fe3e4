"""The two datasets that TransformersTrainer gave its function, and what of Ray Data they were.

It made datasets of rows of the shards `train` and `evaluation`, of which the Trainer's data collator made batches of
the sizes in `TrainingArguments`. Ray had split `train`; it kept Transformers from splitting that again. `evaluation`
was split by Transformers. The official guides' `iter_torch_batches` collates and cuts batches itself, and has no
length to count epochs by: it would train on other batches, so rows are fed here too, by classes in the user's file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.data.given import TRAIN, Codes, RayData, read_given
from migrate_trainers.rules.literals import entries_of
from migrate_trainers.rules.trainer_call import is_absent
from migrate_trainers.rules.transformers.dataset_uses import check_uses
from migrate_trainers.writing import templates

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import CallSite, Rewrite

EVALUATION = "evaluation"
_CODES = Codes(unseen="MT202", moved="MT202")


@dataclass(frozen=True)
class DatasetArguments:
    """What the train function has in their places, as expressions: None where Ray feeds no dataset.

    `definitions` have to stand before the function; `reader` is the function that a Trainer passes through before it
    trains, if any.
    """

    train: str = "None"
    evaluation: str = "None"
    definitions: tuple[str, ...] = ()
    reader: str | None = None


@dataclass(frozen=True)
class Datasets:
    """Which datasets of Ray a call feeds; `streams` says that the Trainer knew no length of its training data."""

    train: bool = False
    evaluation: bool = False
    streams: bool = False

    def only(self, *, train: bool, evaluation: bool) -> Datasets:
        """The same without those that a function doesn't read."""
        return replace(self, train=self.train and train, evaluation=self.evaluation and evaluation)

    def at(self, rewrite: Rewrite, place: Statement) -> DatasetArguments:
        """The two arguments for a train function that goes before a place, or stands there."""
        if not self.train and not self.evaluation:
            return DatasetArguments()
        rows, definitions = rewrite.own_definition(
            "tensor_rows",
            place,
            lambda name: templates.TENSOR_ROWS.format(
                name=name, get_formatter=rewrite.imports.name("datasets.formatting.get_formatter")
            ),
        )
        train, reader = "None", None
        if self.train:
            shard_dataset, reader, more = self._train_definitions(rewrite, place, rows)
            definitions += more
            train = f"{shard_dataset}({_shard(rewrite, TRAIN)})"
        evaluation = f"list({rows}({_shard(rewrite, EVALUATION)}))" if self.evaluation else "None"
        return DatasetArguments(train, evaluation, tuple(definitions), reader)

    def _train_definitions(self, rewrite: Rewrite, place: Statement, rows: str) -> tuple[str, str, list[str]]:
        """The names of the training data's class and of the function that has a Trainer read it, and their text."""
        template = templates.STREAMED_SHARD if self.streams else templates.SHARD_DATASET
        shard_dataset, definitions = rewrite.own_definition(
            "StreamedShard" if self.streams else "ShardDataset",
            place,
            lambda name: template.format(
                name=name,
                iterable_dataset=rewrite.imports.name("torch.utils.data.IterableDataset"),
                tensor_rows=rows,
            ),
        )
        reader, more = rewrite.own_definition(
            "read_own_stream" if self.streams else "read_own_shard",
            place,
            lambda name: templates.READ_OWN_SHARD.format(name=name, shard_dataset=shard_dataset),
        )
        return shard_dataset, reader, [*definitions, *more]


def _shard(rewrite: Rewrite, name: str) -> str:
    return f'{rewrite.function_named("ray.train.get_dataset_shard")}("{name}")'


def read_data(rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg]) -> RayData | None:
    """What a call is given of Ray Data; raises `Refusal` where that can't be seen."""
    data = read_given(rewrite, site, arguments, _CODES)
    if data is not None:
        _check_keys(rewrite, data)
        # Transformers split the evaluation data among the workers, whatever Ray did with it before.
        data.splits_others, data.splits_train_alone = False, True
    return data


def fed_datasets(rewrite: Rewrite, data: RayData | None, init: cst.BaseExpression) -> Datasets:
    """The datasets that the function which makes the Trainer is fed; raises `Refusal` if it needs more of them."""
    if data is None:
        return Datasets()
    check_uses(rewrite.program, init)
    argument = data.arguments["datasets"]
    has_train, has_evaluation = bool(data.keys.has(TRAIN)), bool(data.keys.has(EVALUATION))
    if has_train:
        rewrite.review("MT216", argument, "")
    if has_evaluation:
        rewrite.review("MT217", argument, "")
    return Datasets(has_train, has_evaluation, has_train and _streams(rewrite, data))


def _streams(rewrite: Rewrite, data: RayData) -> bool:
    """Whether the Trainer surely knew no length of its training data: it was read while it trained."""
    program = rewrite.program
    in_bulk = not is_absent(data.arguments, "preprocessor") or not _is_data_config(program, data)
    if in_bulk or rewrite.settings.source < legacy.FIRST_THAT_STREAMS:
        return False
    entries = entries_of(program, _value_behind(program, data.datasets))
    return entries is not None and TRAIN in entries and _is_lazy(program, entries[TRAIN])


def _check_keys(rewrite: Rewrite, data: RayData) -> None:
    argument = data.arguments["datasets"]
    for name in (TRAIN, EVALUATION):
        if data.keys.has(name) is None:
            raise Refusal("MT202", argument, f"whether `{name}` is among them can't be seen")
    others = sorted((data.keys.possible or frozenset()) - {TRAIN, EVALUATION})
    if rewrite.settings.source < legacy.FIRST_WITH_OTHER_DATASETS and (others or not data.keys.has(TRAIN)):
        raise Refusal("MT106", argument, "HuggingFaceTrainer took `train` and `evaluation`")


def _is_data_config(program: Program, data: RayData) -> bool:
    """Whether `dataset_config` is not the old dictionary."""
    if is_absent(data.arguments, "dataset_config"):
        return True
    value = _value_behind(program, data.arguments["dataset_config"].value)
    return isinstance(value, cst.Call) and program.qualified_name(value.func) in legacy.DATA_CONFIGS


def _value_behind(program: Program, value: cst.BaseExpression) -> cst.BaseExpression:
    """The value of a variable that is assigned once, else the expression itself."""
    while isinstance(value, cst.Name) and (assigned := program.assigned_value(value)) is not None:
        value = assigned
    return value


def _is_lazy(program: Program, value: cst.BaseExpression) -> bool:
    """Whether a dataset is surely one whose rows Ray had not counted."""
    value = _value_behind(program, value)
    if not isinstance(value, cst.Call):
        return False
    if program.qualified_name(value.func) in legacy.LAZY_SOURCES:
        return True
    if not isinstance(value.func, cst.Attribute) or program.qualified_name(value.func) is not None:
        return False
    return value.func.attr.value in legacy.LAZY_METHODS
