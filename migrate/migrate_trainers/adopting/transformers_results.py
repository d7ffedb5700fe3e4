"""What a Transformers script reads of its Trainer after the training, where the reports hold the same.

With `eval_strategy="epoch"` and `save_strategy="epoch"`, each report has the metrics of an evaluation and the weights
that were evaluated; without `load_best_model_at_end`, the last ones are those with which the training ends.

metrics = trainer.evaluate(); metrics["eval_loss"]      result.metrics["eval_loss"]
trainer.state.best_metric                               min(metrics["eval_loss"] for _, metrics in result.best_...)
trainer.state.best_model_checkpoint                     os.path.join(result.get_best_checkpoint(...).path, "checkpoint")
trainer.save_model("out"); M.from_pretrained("out")     M.from_pretrained(os.path.join(result.checkpoint.path, ...))
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.framework import Reader
from migrate_trainers.adopting.result_reads import best_score, checkpoint_path, metric
from migrate_trainers.adopting.transformers_trainings import is_arguments, trainings, uses_of_trainer
from migrate_trainers.rules.literals import is_flag, is_none, string
from migrate_trainers.rules.transformers.training_arguments import choice, given_arguments
from migrate_trainers.rules.tuning.reach import assigned_variable, uses_of
from migrate_trainers.writing.arguments import keyword_argument

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.adopting.framework import TrainingSite
    from migrate_trainers.adopting.transformers_trainings import Training
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.transformers.training_arguments import GivenArguments

_CALLBACK = "ray.train.huggingface.transformers.RayTrainReportCallback"
# What an evaluation measures of itself, which no two of them share.
_OF_RUN = re.compile(r"eval_(?:runtime|samples_per_second|steps_per_second|model_preparation_time)")
# Methods, of a Trainer or a callback, in which a script may change what is evaluated, logged or saved.
_HOOKS = frozenset(
    {
        *("evaluate", "evaluation_loop", "prediction_step", "log", "save_model", "_save", "_save_checkpoint"),
        *("on_epoch_end", "on_evaluate", "on_log", "on_save", "on_train_end"),
    }
)
_ARGUMENTS = ("deepspeed", "fsdp", "eval_on_start", "eval_delay", "save_only_model", "hub_strategy")
_MODEL = re.compile(r"(?:\w+\.)*\w*(?:Model|For[A-Z])\w*\.from_pretrained")


@dataclass(frozen=True)
class _Best:
    """By which metric the best checkpoint is chosen, and whether the Trainer loads it when the training ends."""

    metric: str
    mode: str
    is_loaded: bool

    @property
    def choice(self) -> tuple[str, str]:
        return self.metric, self.mode


def readers(program: Program, sites: Sequence[TrainingSite]) -> list[Reader]:
    """What is read after the training, with the reason where no report tells."""
    (training,) = trainings(program)
    calls = [call for call in program.calls if is_arguments(program, call.func)]
    given = given_arguments(program, calls[0]) if len(calls) == 1 else None
    reason = _reason(program, training, given)
    best = _best(program, given) if given is not None and not reason else None
    reason = best if isinstance(best, str) else reason
    settled = best if isinstance(best, _Best) else None
    found = [*_evaluations(program, training, settled, reason), *_states(program, training, settled, reason)]
    for train in training.trains:
        variable = assigned_variable(program, train)
        for use in uses_of(program, variable) if variable is not None else ():
            found.append(Reader(use, None, "what `train()` gives is in no report"))
    if given is not None and not reason:
        found += _pretrained(program, training, given, settled)
    return found


def _reason(program: Program, training: Training, given: GivenArguments | None) -> str:
    """Why the reports may be of other moments than what the script reads; empty where they are not."""
    if given is None or given.hides_some or any(given.has(name) for name in _ARGUMENTS) or _are_changed(program):
        return "the `TrainingArguments` may say to save otherwise"
    for names in (("save_strategy",), ("eval_strategy", "evaluation_strategy")):
        if (value := given.value(*names)) is None or choice(program, value) != "epoch":
            return f'without `{names[0]}="epoch"`, the last report may be of an earlier step'
    if len(training.trains) != 1 or program.loop_around(training.trains[0]) is not None:
        return "the script trains several times"
    if program.enclosing(training.trains[0], cst.If) is not program.enclosing(training.made[0], cst.If):
        return "the script may not train"
    if any(not is_none(one.value) for one in training.trains[0].args):
        return "the training goes on from a checkpoint"
    for scope in program.all_scopes():
        if isinstance(scope.node, cst.FunctionDef) and scope.node.name.value in _HOOKS:
            return f"what `{scope.node.name.value}` changes is in no report"
    return ""


def _are_changed(program: Program) -> bool:
    """Whether a script assigns to what its arguments say of saving and evaluating."""
    names = ("save_", "eval_", "evaluation_", "load_best", "metric_for", "greater_is", "output_dir")
    return any(name.startswith(names) for name in program.assigned_attributes)


def _best(program: Program, given: GivenArguments) -> _Best | str | None:
    """How the best checkpoint is chosen, None where none is, or why that can't be told."""
    loaded, metric = given.value("load_best_model_at_end"), given.value("metric_for_best_model")
    greater = given.value("greater_is_better")
    is_loaded = loaded is not None and program.text(loaded) == "True"
    if (loaded is not None and not is_flag(loaded)) or (greater is not None and not is_flag(greater)):
        return "which checkpoint is the best is only known when it runs"
    if metric is None:
        return _Best("eval_loss", "max" if _is_true(program, greater) else "min", is_loaded) if is_loaded else None
    name = choice(program, metric)
    is_loss = name in ("loss", "eval_loss")
    if name is None or any(mark in name for mark in '"\\') or (greater is None and name.endswith("loss") > is_loss):
        return "which checkpoint is the best is only known when it runs"
    is_greater = _is_true(program, greater) if greater is not None else not is_loss
    return _Best(f"eval_{name.removeprefix('eval_')}", "max" if is_greater else "min", is_loaded)


def _is_true(program: Program, node: cst.BaseExpression | None) -> bool:
    return node is not None and program.text(node) == "True"


def _evaluations(program: Program, training: Training, best: _Best | None, reason: str) -> Iterator[Reader]:
    """Single metrics of an evaluation behind the training, which are those of the last epoch's."""
    if best is not None and best.is_loaded:
        reason = "the Trainer evaluates the best model, and the last report is of the last one"
    for run in training.runs:
        if not isinstance(run, cst.Call) or not _is_behind(program, training, run, "evaluate"):
            continue
        variable = assigned_variable(program, run)
        uses = uses_of(program, variable) if variable is not None else []
        above = [program.parent(use) for use in uses]
        is_changed = any(_may_change(program, one) for one in above)
        for use, parent in zip(uses, above, strict=True):
            key = program.source.slice(program.span(use)[1], program.span(parent)[1]) if parent is not None else ""
            name = re.fullmatch(r"""\[["'](eval_\w+)["']\]""", key)
            is_single = isinstance(parent, cst.Subscript) and parent.value is use and name is not None
            if is_single and name is not None and not _OF_RUN.fullmatch(name[1]) and not is_changed:
                assert isinstance(parent, cst.Subscript)
                yield Reader(parent, None if reason or run.args else partial(metric, key), reason)
            else:
                yield Reader(use, None, "more than single metrics of an evaluation is read")


def _may_change(program: Program, above: cst.CSTNode | None) -> bool:
    """Whether what stands around a dictionary may put something into it."""
    if isinstance(above, cst.Subscript):
        return isinstance(program.parent(above), cst.AssignTarget | cst.AugAssign | cst.Del)
    return isinstance(above, cst.Attribute) and above.attr.value in ("clear", "pop", "popitem", "setdefault", "update")


def _is_behind(program: Program, training: Training, run: cst.Call, method: str) -> bool:
    """Whether a run is the call of a method that is surely made once, after the training."""
    if not isinstance(run.func, cst.Attribute) or run.func.attr.value != method:
        return False
    statement, train = program.statement(run), program.statement(training.trains[0])
    return program.block(statement) is program.block(train) and program.span(statement) > program.span(train)


def _states(program: Program, training: Training, best: _Best | None, reason: str) -> Iterator[Reader]:
    """What is read of `trainer.state`."""
    for use in uses_of_trainer(program, training.name):
        state = program.parent(use)
        attribute = program.parent(state) if isinstance(state, cst.Attribute) else None
        if (
            not isinstance(state, cst.Attribute)
            or state.attr.value != "state"
            or not isinstance(attribute, cst.Attribute)
        ):
            continue
        name = attribute.attr.value
        is_told = not reason and best is not None and best.mode not in program.all_bound_names()
        if name == "best_metric" and is_told and best is not None:
            yield Reader(attribute, partial(best_score, best.metric, best.mode))
        elif name == "best_model_checkpoint" and is_told and best is not None:
            yield Reader(attribute, partial(checkpoint_path, _CALLBACK, best.choice), variable="best_checkpoint_path")
        else:
            yield Reader(attribute, None, reason or f"no report tells the `{name}`")


def _pretrained(program: Program, training: Training, given: GivenArguments, best: _Best | None) -> Iterator[Reader]:
    """Models that are loaded from where the Trainer has saved its own, which is that of a checkpoint."""
    for run in training.runs:
        if not isinstance(run, cst.Call) or not _is_behind(program, training, run, "save_model"):
            continue
        if _is_used_between(program, training, run):
            continue
        written = {
            _said(program, one.value) for one in run.args if one.keyword is None or one.keyword.value == "output_dir"
        }
        if not run.args and (folder := given.value("output_dir")) is not None:
            variable = assigned_variable(program, given.call)
            written = {_said(program, folder), f"{variable.name}.output_dir" if variable is not None else ""}
        for call in program.calls:
            is_model = _MODEL.fullmatch(program.text(call.func)) is not None
            first = call.args[0] if call.args else None
            is_later = program.span(call) > program.span(run)
            if is_model and is_later and first is not None and first.keyword is None and not first.star:
                is_same = _said(program, first.value) in written and _is_only_writer(program, run, first.value)
                if is_same and keyword_argument(call, "subfolder") is None:
                    loaded = best.choice if best is not None and best.is_loaded else None
                    name = "best_checkpoint_path" if loaded is not None else "last_checkpoint_path"
                    yield Reader(first.value, partial(checkpoint_path, _CALLBACK, loaded), variable=name)


def _said(program: Program, value: cst.BaseExpression) -> str:
    """A path as it is written, or as the constant that it names."""
    value = (program.assigned_value(value) or value) if isinstance(value, cst.Name) else value
    text = string(value)
    return program.text(value) if text is None else f'"{text.removeprefix("./").rstrip("/")}"'


def _is_used_between(program: Program, training: Training, run: cst.Call) -> bool:
    """Whether the model is used, and so may be changed, between the training and the call that saves it."""
    made = training.made[0]
    given = keyword_argument(made, "model") or next(iter(made.args), None) if isinstance(made, cst.Call) else None
    if given is None or not isinstance(given.value, cst.Name):
        return True
    start, end = program.span(training.trains[0])[1], program.span(run)[0]
    used = (name for name in program.names if name.value == given.value.value)
    through = (one for one in program.attributes if one.attr.value == "model")
    return any(start < program.span(one)[0] < end for one in (*used, *through))


def _is_only_writer(program: Program, run: cst.Call, path: cst.BaseExpression) -> bool:
    """Whether no other model is saved where a Trainer has saved its own."""
    for call in program.calls:
        name = program.text(call.func)
        is_saving = name.endswith((".save_pretrained", ".save_model")) and call is not run
        is_model = re.search(r"tokenizer|processor|extractor", name, re.IGNORECASE) is None
        if is_saving and is_model and any(_said(program, one.value) == _said(program, path) for one in call.args):
            return False
    return True
