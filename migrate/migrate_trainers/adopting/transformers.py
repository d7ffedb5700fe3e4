"""`transformers.Trainer(...).train()` in each worker, as Ray's getting-started guide for Transformers writes it.

trainer = Trainer(model, args)           trainer = Trainer(model, args)
                                         trainer.add_callback(RayTrainReportCallback())
                                         trainer = prepare_trainer(trainer)
trainer.train()                          trainer.train()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.accelerators import asked_for_ranks, tell_device
from migrate_trainers.adopting.framework import Framework, TrainingSite
from migrate_trainers.adopting.parsed_arguments import dictionaries_for_parsers
from migrate_trainers.adopting.region import Place
from migrate_trainers.adopting.transformers_arguments import tell_arguments
from migrate_trainers.adopting.transformers_results import readers
from migrate_trainers.adopting.transformers_trainings import other_runs, trainings
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import is_flag, is_none, string
from migrate_trainers.rules.transformers.releases import adapt_to_release
from migrate_trainers.rules.transformers.training import Training as Reports
from migrate_trainers.writing.arguments import keyword_argument
from migrate_trainers.writing.placement import definition
from migrate_trainers.writing.render import free_name, names_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.adopting.region import Region
    from migrate_trainers.adopting.transformers_trainings import Training
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

# Methods of a Trainer that write files, by the argument that says where.
_WRITING = ("save_model", "create_model_card", "push_to_hub")


def sites(program: Program) -> list[TrainingSite]:
    """The Trainers of a program that Ray hasn't prepared yet, with the calls that use them."""
    return [TrainingSite(_node(one), (*one.runs, *other_runs(program, one))) for one in trainings(program)]


def _node(training: Training) -> cst.CSTNode:
    made = training.made[0]
    return made.func if isinstance(made, cst.Call) else made


def adopt(rewrite: Rewrite, region: Region, site: TrainingSite) -> list[str]:
    """Have a Trainer report to Ray, and its arguments say what a worker is."""
    (training,) = trainings(rewrite.program)
    if rewrite.settings.target_transformers is not None:
        adapt_to_release(rewrite)
    tell_arguments(rewrite, region, training)
    for call in asked_for_ranks(rewrite.program):
        tell_device(rewrite, call)
    _review_resuming(rewrite, training)
    _review_writing(rewrite, training)
    return _report(rewrite, region, training)


# Reports


def _report(rewrite: Rewrite, region: Region, training: Training) -> list[str]:
    """Add Ray's callback to the Trainer and prepare it, before it trains; returns the definition that this needs."""
    program, adoption = rewrite.program, rewrite.settings.adoption
    assert adoption is not None
    reports = Reports(
        rewrite,
        guide_form=True,
        one_worker=adoption.num_workers == 1,
        resumes=False,
        may_be_given=False,
        drops_integrations=False,
    )
    place = program.top_level_statement(program.statement(training.trains[0]))
    callback, definitions = reports.callback(place)
    if region.place is Place.TRAIN_FUNCTION and definitions:
        rewrite.edits += definition(program, place, definitions)
    name = training.name.value if training.name is not None else free_name(names_in(program.module), "trainer")
    lines = reports.lines(name, callback, set(), None)[:-1]
    if "MT218" in reports.findings:
        rewrite.review("MT218", training.trains[0].func, "")
    if training.name is None:
        rewrite.edits += _apart(program, training.trains[0], name, lines)
    else:
        rewrite.edits.append(_inserted(program, training, lines))
    return definitions if region.place is not Place.TRAIN_FUNCTION else []


def _inserted(program: Program, training: Training, lines: Sequence[str]) -> Edit:
    """The edit that puts lines before the only call that trains, else behind the statement that makes the Trainer."""
    source = program.source
    train = training.trains[0]
    statement = program.statement(train)
    bindings = program.bindings(train.func.value) if isinstance(train.func, cst.Attribute) else ()  # type: ignore[arg-type]
    is_own = all(binding.scope is program.scope(statement) for binding in bindings)
    if len(training.trains) == 1 and program.loop_around(train) is None and is_own:
        start = source.line_start(program.span(statement)[0])
        return Edit(start, start, "".join(f"{program.indent(statement)}{line}\n" for line in lines))
    made = program.statement(training.made[0])
    if len(training.made) > 1 or not isinstance(made, cst.SimpleStatementLine) or len(made.body) > 1:
        raise Refusal("MT615", training.made[0], "it is made in several ways, and trains in several places")
    end = source.line_end(program.span(made)[1])
    break_before = "" if source.buffer[:end].endswith((b"\n", b"\r")) else "\n"
    return Edit(end, end, break_before + "".join(f"{program.indent(made)}{line}\n" for line in lines))


def _apart(program: Program, train: cst.Call, name: str, lines: Sequence[str]) -> list[Edit]:
    """The edits that give a Trainer which trains where it is made a variable."""
    statement = program.statement(train)
    small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1 else None
    assert isinstance(train.func, cst.Attribute)
    if not isinstance(small, cst.Expr | cst.Assign) or small.value is not train:
        raise Refusal("MT615", train.func, "it trains within an expression")
    start = program.span(statement)[0]
    made_start, made_end = program.outer_span(train.func.value)
    head = program.source.slice(start, made_start)
    tail = program.source.slice(made_end, program.span(train)[1])
    indent = program.indent(statement)
    following = f"\n{indent}".join(["", *lines, f"{head}{name}{tail}"])
    return [Edit(start, made_start, f"{name} = "), Edit(made_end, program.span(train)[1], following)]


# What is worth a look


def _review_resuming(rewrite: Rewrite, training: Training) -> None:
    for train in training.trains:
        given = keyword_argument(train, "resume_from_checkpoint") or next(iter(train.args), None)
        if given is None or is_none(given.value):
            continue
        if not is_flag(given.value) or rewrite.program.text(given.value) == "True":
            rewrite.review("MT618", given, "")


def _review_writing(rewrite: Rewrite, training: Training) -> None:
    """Say where files of a relative path end up, for the first call that writes some."""
    for run in training.runs:
        if isinstance(run, cst.Call) and isinstance(run.func, cst.Attribute) and run.func.attr.value in _WRITING:
            path = string(run.args[0].value) if run.args else None
            if path is None or not path.startswith("/"):
                rewrite.review("MT612", run.func, "")
                return


FRAMEWORK = Framework("MT610", sites, adopt, readers, asked_for_ranks, dictionaries_for_parsers)
