"""`pl.Trainer(...).fit(...)` in each worker, as Ray's getting-started guide for PyTorch Lightning writes it.

trainer = pl.Trainer(devices=1, ...)     trainer = pl.Trainer(devices="auto", accelerator="auto",
                                             strategy=RayDDPStrategy(), plugins=[RayLightningEnvironment()],
                                             callbacks=[RayTrainReportCallback()], ...)
                                         trainer = prepare_trainer(trainer)
trainer.fit(model)                       trainer.fit(model)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.framework import Framework, Reader, TrainingSite
from migrate_trainers.adopting.lightning_checkpoints import checkpoint_readers
from migrate_trainers.adopting.lightning_trainer import change_arguments, is_complete
from migrate_trainers.adopting.lightning_uses import is_trainer, metric_readers, runs_of_trainer
from migrate_trainers.adopting.region import Place
from migrate_trainers.reading.lightning_names import NEW_PACKAGE, OLD_PACKAGE
from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import lightning_name
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.conversion import (
    convert,
    has_no_lightning,
    imported_packages,
    prefers_lightning,
)
from migrate_trainers.rules.rewrite import finding
from migrate_trainers.rules.tuning.reach import assigned_variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.adopting.region import Region
    from migrate_trainers.findings import Finding
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.settings import Settings

_PREPARE = frozenset({"ray.train.lightning.prepare_trainer", "train_runtime.lightning.prepare_trainer"})
_REPORTS = frozenset({"ray.train.report", "train_runtime.report"})
# Methods of which each worker gives what it has read of the data.
_GIVES_PART = "predict"


def sites(program: Program) -> list[TrainingSite]:
    """The trainers of a program that are not Ray's yet, with the calls that they are asked for."""
    found = []
    for call in program.calls:
        name = lightning_name(program.qualified_name(call.func)) or ""
        if name.endswith("LightningCLI"):
            raise Refusal("MT609", call.func, "")
        if name.endswith("Trainer.from_argparse_args"):
            raise Refusal("MT602", call.func, "`from_argparse_args`, which Lightning 2 doesn't have")
        if not is_trainer(program, call) or is_complete(program, call):
            continue
        runs = tuple(run for run in runs_of_trainer(program, call) if not _prepares(program, run))
        if not runs:
            raise Refusal("MT601", call.func, "nothing in the file trains with it")
        found.append(TrainingSite(call, runs))
    return found


def _prepares(program: Program, run: cst.CSTNode) -> bool:
    return isinstance(run, cst.Call) and program.qualified_name(run.func) in _PREPARE


def adopt(rewrite: Rewrite, region: Region, site: TrainingSite) -> Sequence[str]:
    """Have a trainer use what Ray has set up in each worker."""
    program, call = rewrite.program, site.node
    assert isinstance(call, cst.Call)
    plain = region.place is not Place.TRAIN_FUNCTION
    reports = plain or not _reports_itself(program)
    change_arguments(rewrite, call, reports=reports, plain=plain)
    if not any(_prepares(program, run) for run in runs_of_trainer(program, call)):
        _prepare(rewrite, call)
    if reports:
        rewrite.review("MT606", call.func, "")
    for run in site.runs:
        if isinstance(run, cst.Call) and isinstance(run.func, cst.Attribute) and run.func.attr.value == _GIVES_PART:
            rewrite.review("MT604", run.func, "each worker predicts for its part of the data")
    return ()


def _reports_itself(program: Program) -> bool:
    return any(program.qualified_name(call.func) in _REPORTS for call in program.calls)


def _prepare(rewrite: Rewrite, call: cst.Call) -> None:
    """Let Ray check the trainer, before it is used."""
    program = rewrite.program
    prepare = rewrite.class_named("ray.train.lightning.prepare_trainer")
    variable, statement = assigned_variable(program, call), program.statement(call)
    is_alone = isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1
    if variable is None or not is_alone:
        start, end = program.outer_span(call)
        rewrite.edits += [Edit(start, start, f"{prepare}("), Edit(end, end, ")")]
        return
    end = program.source.line_end(program.span(statement)[1])
    line = f"{program.indent(statement)}{variable.name} = {prepare}({variable.name})\n"
    lead = "" if program.source.buffer[:end].endswith((b"\n", b"\r")) else "\n"
    rewrite.edits.append(Edit(end, end, lead + line))


def readers(program: Program, sites: Sequence[TrainingSite]) -> list[Reader]:
    """What is read of the metrics after the last `fit`, whose last report has them too, and of checkpoints."""
    last = max(sites, key=lambda site: program.span(site.runs[-1]))
    run = last.runs[-1]
    is_fit = isinstance(run, cst.Call) and isinstance(run.func, cst.Attribute) and run.func.attr.value == "fit"
    assert isinstance(last.node, cst.Call)
    checkpoints = list(checkpoint_readers(program, sites))
    return [*metric_readers(program, last.node), *checkpoints] if is_fit else checkpoints


def prepare(program: Program, settings: Settings) -> tuple[Program, Sequence[Finding]]:
    """Have the file import the one of Lightning's two packages that Ray takes, where nothing speaks against it."""
    packages = imported_packages(program)
    if not prefers_lightning(settings) or OLD_PACKAGE not in packages:
        return program, ()
    first = next(call for call in program.calls if is_trainer(program, call))
    if len(packages) > 1:
        raise Refusal("MT601", first.func, f"the file mixes `{OLD_PACKAGE}` and `{NEW_PACKAGE}`")
    outside = sorted(name for name in program.imported_names if not has_no_lightning(name))
    outside = [name for name in outside if not name.startswith(OLD_PACKAGE)]
    if outside:
        return program, (finding(program, "MT113", first.func, f"`{outside[0]}` is defined where it can't be seen"),)
    conversion = convert(program)
    return program.edited(conversion.edits), conversion.findings


FRAMEWORK = Framework("MT600", sites, adopt, readers, prepare=prepare)
