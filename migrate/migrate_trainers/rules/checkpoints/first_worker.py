"""Folders that all workers report: Ray 2.6 and before kept the first worker's, current Ray puts all into one.

    session.report(metrics, checkpoint=checkpoint)      report_first_worker(metrics, checkpoint=checkpoint)

Nothing is written where only the first worker puts anything into the folder, as the guides do it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.rules.checkpoints.families import ACCELERATE, families_in
from migrate_trainers.rules.checkpoints.reported import folder_calls, made_dictionaries, read_reports, sources
from migrate_trainers.rules.configs import has_one_worker
from migrate_trainers.rules.first_process import is_of_first
from migrate_trainers.writing import dictionary_templates as templates
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.checkpoints.readers import Readers
    from migrate_trainers.rules.checkpoints.reported import Report

_OLD_REPORT = f"{legacy.SESSION_MODULE}.report"
_FRESH_FOLDERS = ("tempfile.TemporaryDirectory", "tempfile.mkdtemp")
_ALL_RANKS = b"_checkpoint_keep_all_ranks"


def keep_first_worker(readers: Readers) -> None:
    """Rewrite the reports in which several workers may have put files into their folders."""
    program, rewrite = readers.program, readers.rewrite
    if families_in(program) != [ACCELERATE] or rewrite.settings.source >= legacy.FIRST_THAT_MERGES_RANKS:
        return
    if _ALL_RANKS in program.source.buffer or _has_one_worker(readers):
        return
    reported = read_reports(program, made_dictionaries(program))
    folders = sorted(folder_calls(program), key=lambda call: program.span(call)[0])
    if reported is None and folders:
        rewrite.review("MT436", folders[0], "")
    for report in reported.others if reported is not None else ():
        if program.qualified_name(report.call.func) == _OLD_REPORT and not _is_first_alone(readers, report):
            rewrite.review("MT435", report.argument, "")
            readers.edit(report.call, Edit(*program.outer_span(report.call.func), _reporter(readers, report.call)))


def _has_one_worker(readers: Readers) -> bool:
    """Whether all trainers of the program surely have one worker."""
    program = readers.program
    trainers = legacy.TRAINERS.keys() | legacy.TORCH_TRAINERS
    given = [
        (bound_arguments(call, ("train_loop_per_worker",)) or {}).get("scaling_config")
        for call in program.calls
        if program.qualified_name(call.func) in trainers
    ]
    return bool(given) and all(one is not None and has_one_worker(readers.rewrite, one.value) for one in given)


def _reporter(readers: Readers, report: cst.Call) -> str:
    rewrite = readers.rewrite
    return readers.definition(
        "report_first_worker",
        report,
        lambda name: templates.REPORT_FIRST_WORKER.format(
            name=name,
            get_context=rewrite.function_named("ray.train.get_context"),
            report=rewrite.function_named("ray.train.report"),
        ),
    )


def _is_first_alone(readers: Readers, report: Report) -> bool:
    """Whether a report's checkpoint surely has files of the first worker only."""
    program = readers.program
    made = sources(program, report.argument.value, folder_calls(program))
    return made is not None and all(_is_of_first(program, call) for call in made)


def _is_of_first(program: Program, made: cst.Call) -> bool:
    """Whether a checkpoint is made by the first worker only, or of a folder of its own that only that one fills."""
    if is_of_first(program, made):
        return True
    folder = made.args[0].value if len(made.args) == 1 else None
    if not isinstance(folder, cst.Name):
        return False
    places = [(one, program.enclosing(one.node, cst.With)) for one in program.bindings(folder)]
    inside = [(one, place) for one, place in places if place is not None and program.contains(place, made)]
    chosen = inside or places
    if len(chosen) != 1 or not _is_fresh(program, chosen[0][0]):
        return False
    binding, place = chosen[0]
    uses = [use for use in program.uses(binding) if place is None or program.contains(place, use)]
    return all(program.contains(made, use) or is_of_first(program, use) for use in uses)


def _is_fresh(program: Program, binding: Binding) -> bool:
    """Whether a variable is a new folder of each worker's."""
    item = program.parent(binding.node)
    given = item.item if isinstance(item, cst.WithItem) else binding.value
    return isinstance(given, cst.Call) and program.qualified_name(given.func) in _FRESH_FOLDERS
