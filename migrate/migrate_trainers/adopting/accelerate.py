"""`Accelerator()` in each worker: it finds the other workers in its environment, as with `accelerate launch`.

accelerator = Accelerator()              accelerator = Accelerator(cpu=True)
...                                      ...
accelerator.log({"loss": total})         metrics = {"loss": total}
                                         accelerator.log(metrics)
                                         ray.train.report(metrics)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.accelerate_reports import report_logs
from migrate_trainers.adopting.accelerators import asked_for_ranks, tell_device
from migrate_trainers.adopting.framework import Framework, Reader, TrainingSite
from migrate_trainers.adopting.launchers import calls_for_launchers
from migrate_trainers.adopting.region import is_train_function
from migrate_trainers.adopting.transformers_trainings import trainings
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.accelerate.accelerator import accelerator_calls, is_used_otherwise
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.tuning.reach import assigned_variable, uses_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.adopting.region import Region
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

# Methods that write files, by the path that they are given first.
_WRITING = ("save_state", "save_model", "save")


def sites(program: Program) -> list[TrainingSite]:
    """The Accelerators of a program that no TorchTrainer's workers make yet, with all that uses them."""
    if trainings(program):
        # What else makes an Accelerator there, asks it for the worker's rank.
        return []
    found = [call for call in accelerator_calls(program, program.modules) if not _is_in_workers(program, call)]
    if found and is_used_otherwise(program):
        raise Refusal("MT625", found[0].func, "the class is more than called")
    if len(found) > 1:
        raise Refusal("MT627", found[1].func, "")
    return [TrainingSite(call, tuple(_runs(program, call))) for call in found]


def _is_in_workers(program: Program, call: cst.Call) -> bool:
    function = program.enclosing(call, cst.FunctionDef)
    return function is not None and is_train_function(program, function)


def _runs(program: Program, call: cst.Call) -> Iterator[cst.CSTNode]:
    """The call, and where its own function uses the Accelerator, or what that has prepared.

    All workers have to come by there: much of it waits for the others.
    """
    variable = assigned_variable(program, call)
    if variable is None:
        raise Refusal("MT625", call.func, "it is not assigned to a variable of its own")
    function = program.enclosing(call, cst.FunctionDef)
    held = uses_of(program, variable)
    prepared = {name for use in held for name in _prepared(program, use)}
    yield call
    for name in program.names:
        is_held = name in held or (name.value in prepared and program.scope(name).lookup(name.value))
        if is_held and program.enclosing(name, cst.FunctionDef) is function:
            yield name


def _prepared(program: Program, use: cst.Name) -> Iterator[str]:
    """The variables that are given what an Accelerator prepares."""
    attribute = program.parent(use)
    call = program.parent(attribute) if isinstance(attribute, cst.Attribute) else None
    statement = program.parent(call) if isinstance(call, cst.Call) and call.func is attribute else None
    if not isinstance(attribute, cst.Attribute) or not attribute.attr.value.startswith("prepare"):
        return
    for target in statement.targets if isinstance(statement, cst.Assign) else ():
        elements = target.target.elements if isinstance(target.target, cst.Tuple | cst.List) else ()
        for one in (target.target, *(element.value for element in elements)):
            if isinstance(one, cst.Name):
                yield one.value


def adopt(rewrite: Rewrite, region: Region, site: TrainingSite) -> list[str]:
    """Have an Accelerator share the data with the other workers, and what it logs reported."""
    program, call = rewrite.program, site.node
    assert isinstance(call, cst.Call)
    rewrite.review("MT621", call.func, "")
    for made in asked_for_ranks(program):
        tell_device(rewrite, made)
    if report_logs(rewrite, call):
        rewrite.review("MT623", call.func, "")
    else:
        rewrite.review("MT622", call.func, "")
    _review_writing(rewrite, site)
    return []


def _review_writing(rewrite: Rewrite, site: TrainingSite) -> None:
    """Say where files of a relative path end up, for the first call that writes some."""
    program = rewrite.program
    for run in site.runs[1:]:
        attribute = program.parent(run)
        call = program.parent(attribute) if isinstance(attribute, cst.Attribute) else None
        if not isinstance(attribute, cst.Attribute) or attribute.attr.value not in _WRITING:
            continue
        paths = [path for one in call.args if (path := string(one.value))] if isinstance(call, cst.Call) else []
        if not any(path.startswith("/") for path in paths):
            rewrite.review("MT626", attribute, "")
            return


def no_readers(program: Program, sites: Sequence[TrainingSite]) -> list[Reader]:
    """None: what a script computes itself, it also prints itself."""
    return []


FRAMEWORK = Framework("MT620", sites, adopt, no_readers, asked_for_ranks, calls_for_launchers)
