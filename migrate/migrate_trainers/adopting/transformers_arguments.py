"""What `TrainingArguments` have to say in a worker: that it computes on the CPU, and how losses are averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.region import Place
from migrate_trainers.adopting.transformers_trainings import is_arguments
from migrate_trainers.reading.transformers_arguments import AVERAGES_TOKENS_SINCE, USE_CPU_SINCE
from migrate_trainers.rules.literals import is_flag, string
from migrate_trainers.rules.transformers.implied_arguments import average_workers, fit_line
from migrate_trainers.rules.transformers.training_arguments import TrainersArguments, choice, given_arguments

if TYPE_CHECKING:
    from migrate_trainers.adopting.region import Region
    from migrate_trainers.adopting.transformers_trainings import Training
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.transformers.training_arguments import GivenArguments

_ON_CPU = ("use_cpu", "no_cuda")


def tell_arguments(rewrite: Rewrite, region: Region, training: Training) -> None:
    """Give the file's `TrainingArguments` what a worker needs, and say what else changes."""
    program, adoption = rewrite.program, rewrite.settings.adoption
    assert adoption is not None
    calls = [call for call in program.calls if is_arguments(program, call.func)]
    given = tuple(given_arguments(program, call) for call in calls)
    are_parsed = any((program.qualified_name(call.func) or "").endswith(_PARSER) for call in program.calls)
    if not given and not are_parsed and not adoption.use_gpu:
        rewrite.review("MT616", training.trains[0].func, "")
    for one in given:
        _tell_device(rewrite, region, one, use_gpu=adoption.use_gpu)
        _review_reports(rewrite, one)
        _review_folder(rewrite, one)
    if adoption.num_workers > 1:
        _average(rewrite, training, given)
    for call in calls:
        fit_line(rewrite, call)


_PARSER = "HfArgumentParser"


def _tell_device(rewrite: Rewrite, region: Region, given: GivenArguments, *, use_gpu: bool) -> None:
    """Without `use_cpu`, workers on CPUs don't share the data: each trains on all of it."""
    name = next((name for name in _ON_CPU if given.has(name)), None)
    argument = given.written.get(name) if name is not None else None
    value = given.value(name) if name is not None else None
    if use_gpu:
        if value is not None and rewrite.program.text(value) != "False":
            rewrite.review("MT613", argument or value, "")
    elif name is None and not given.hides_some and region.place is not Place.TRAIN_FUNCTION:
        release = rewrite.settings.target_transformers
        name = "no_cuda" if release is not None and release < USE_CPU_SINCE else "use_cpu"
        rewrite.arguments_of(given.call).append(lambda _: f"{name}=True")
    elif value is None or not is_flag(value):
        rewrite.review("MT616", argument or given.call.func, "")
    elif argument is not None and rewrite.program.text(value) == "False":
        rewrite.arguments_of(given.call).replace(argument, f"{name}=True")


def _average(rewrite: Rewrite, training: Training, given: tuple[GivenArguments, ...]) -> None:
    """With several workers, the loss may be their number times that of one."""
    release = rewrite.settings.target_transformers
    if given:
        average_workers(rewrite, training.trains[0], TrainersArguments(given, True, ()), list(given))
    elif release is None or release >= AVERAGES_TOKENS_SINCE:
        rewrite.review("MT215", training.trains[0].func, "")


def _review_reports(rewrite: Rewrite, given: GivenArguments) -> None:
    """Ray's callback reports when the Trainer saves; say so where that isn't when it evaluates."""
    program = rewrite.program
    saves, evaluates = (_strategy(program, given, *names) for names in (_SAVES, _EVALUATES))
    steps = [program.text(value) for name in _STEPS if (value := given.value(name)) is not None]
    is_same = saves == evaluates and (saves == "epoch" or (len(steps) == len(_STEPS) and len(set(steps)) == 1))
    if saves == "no":
        rewrite.review("MT611", given.call.func, "this one saves nothing, so nothing is reported")
    elif not is_same and not given.hides_some and not (saves == "epoch" and evaluates is None):
        rewrite.review("MT611", given.call.func, "")


_SAVES = ("save_strategy",)
_EVALUATES = ("eval_strategy", "evaluation_strategy")
_STEPS = ("save_steps", "eval_steps")


def _strategy(program: Program, given: GivenArguments, *names: str) -> str | None:
    value = given.value(*names)
    return choice(program, value) if value is not None else None


def _review_folder(rewrite: Rewrite, given: GivenArguments) -> None:
    value = given.value("output_dir")
    path = string(value)
    if value is not None and (path is None or not path.startswith("/")) and not isinstance(value, cst.Call):
        rewrite.review("MT612", given.written.get("output_dir", value), "")
