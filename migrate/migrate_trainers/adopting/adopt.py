"""One program without Ray: which framework trains in it, and what it becomes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting import accelerate, lightning, transformers
from migrate_trainers.adopting.driver import scaling_config
from migrate_trainers.adopting.effects import tell_of_effects
from migrate_trainers.adopting.moving import decide_moves
from migrate_trainers.adopting.plain_torch import adopt as plain_torch
from migrate_trainers.adopting.region import lifted, region_of
from migrate_trainers.adopting.train_function import TrainFunction
from migrate_trainers.adopting.whole_function import WholeFunction, call_of_whole
from migrate_trainers.adopting.written_files import read_elsewhere
from migrate_trainers.findings import FileResult
from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import dotted_name, is_future_import
from migrate_trainers.reading.source import Edit, without_nested
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.choice import kept_by_comment
from migrate_trainers.rules.legacy_uses import module_level_import
from migrate_trainers.rules.rewrite import Package, Rewrite, finding, moved_name
from migrate_trainers.verify import applied
from migrate_trainers.writing.imports import ImportPlan
from migrate_trainers.writing.placement import without_spare_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.adopting.framework import Framework, TrainingSite
    from migrate_trainers.findings import Finding
    from migrate_trainers.reading.program import Program
    from migrate_trainers.settings import Settings

# In this order; the last ones are only asked where no other trains.
FRAMEWORKS: tuple[Framework, ...] = (lightning.FRAMEWORK, transformers.FRAMEWORK, accelerate.FRAMEWORK)
FALLBACKS: tuple[Framework, ...] = (plain_torch.FRAMEWORK,)


def adopt_program(program: Program, settings: Settings) -> FileResult:
    """The result for a program without legacy trainers: a TorchTrainer program, or as it was, with the reason."""
    data = program.source.data
    try:
        framework, sites = _framework(program)
        if framework is None:
            return FileResult(data, data, findings=_nothing(program))
        if not settings.rules.follows(framework.code):
            return FileResult(data, data, len(sites), skipped=len(sites))
        result = _adopted(program, settings, framework)
    except Refusal as refusal:
        found = finding(program, refusal.code, refusal.node, refusal.detail)
        return FileResult(data, data, 1, 0, (found,))
    if result.changed and (kept := kept_by_comment(program, result.after)) is not None:
        return FileResult(data, data, len(sites), 0, (kept,))
    return result


def _framework(program: Program) -> tuple[Framework | None, Sequence[TrainingSite]]:
    """The framework that trains in a program, with what it trains; raises `Refusal` where several do."""
    found = [(framework, sites) for framework in FRAMEWORKS if (sites := framework.sites(program))]
    if len(found) > 1:
        raise Refusal("MT640", found[1][1][0].node, "it trains with another framework, too")
    for framework in FALLBACKS if not found else ():
        if sites := framework.sites(program):
            return framework, sites
    return found[0] if found else (None, ())


def _nothing(program: Program) -> tuple[Finding, ...]:
    """What to say where nothing trains; a program with a TorchTrainer has been adopted."""
    is_adopted = any(program.qualified_name(call.func) in legacy.TORCH_TRAINERS for call in program.calls)
    bundled = any((program.qualified_name(call.func) or "").startswith("train_runtime.") for call in program.calls)
    first = next(iter(program.module.body), program.module)
    return () if is_adopted or bundled else (finding(program, "MT649", first, ""),)


def _adopted(program: Program, settings: Settings, framework: Framework) -> FileResult:
    before = program
    program, findings = framework.prepare(program, settings)
    sites = lifted(program, framework.sites(program))
    rewrite = Rewrite(program, settings, _imports(program, settings), Package())
    rewrite.findings += findings
    data, number = before.source.data, len(sites)
    try:
        edits = _edits(rewrite, framework, sites)
    except Refusal as refusal:
        return FileResult(data, data, number, 0, (finding(program, refusal.code, refusal.node, refusal.detail),))
    after, problem = applied(program, edits)
    if problem is not None:
        faults = tuple(finding(program, "MT903", site.node, problem) for site in sites)
        return FileResult(data, data, number, 0, tuple(sorted(faults)))
    return FileResult(data, after, number, number, tuple(sorted(rewrite.findings)))


def _edits(rewrite: Rewrite, framework: Framework, sites: Sequence[TrainingSite]) -> list[Edit]:
    program, adoption = rewrite.program, rewrite.settings.adoption
    assert adoption is not None
    region = region_of(program, sites)
    moves = decide_moves(program, region, sites, framework)
    # First, so that it is imported by its name, although later code may need the module.
    scaling = scaling_config(rewrite, adoption) if moves.moved else ""
    definitions: list[str] = []
    for site in sites:
        definitions += framework.adopt(rewrite, region, site)
        rewrite.findings.append(finding(program, framework.code, site.node, ""))
    tell_of_effects(rewrite, [line.statement for line in moves.moved if line not in moves.on_first_rank])
    if (read := read_elsewhere(program, region, moves.paths)) is not None:
        rewrite.review("MT650", read, f"`{program.text(read)}`")
    writer: TrainFunction | WholeFunction | None = None
    if (call := call_of_whole(program, region, moves)) is not None:
        writer = WholeFunction(rewrite, scaling, region, moves, call, definitions)
    elif moves.moved:
        writer = TrainFunction(rewrite, scaling, region, moves, definitions)
    edits = list(rewrite.edits)
    for arguments in rewrite.argument_edits.values():
        edits += arguments.edits()
    for late in rewrite.late:
        edits += late(edits)
    if writer is not None:
        edits = writer.edits(edits)
    return without_spare_lines(program, without_nested([*rewrite.imports.edits(), *edits]))


def _imports(program: Program, settings: Settings) -> ImportPlan:
    return ImportPlan(program, _anchor(program), lambda name: moved_name(name, settings), by_module=False)


def _anchor(program: Program) -> cst.Import | cst.ImportFrom:
    """The import of the module beside which a reader would look for those of Ray."""
    found = None
    for statement in program.imports:
        is_own = isinstance(statement, cst.ImportFrom) and bool(statement.relative)
        if not isinstance(program.block(program.statement(statement)), cst.Module) or is_own:
            continue
        module = dotted_name(statement.module if isinstance(statement, cst.ImportFrom) else statement.names[0].name)
        is_above = isinstance(statement, cst.Import) or module <= "ray"
        if module.partition(".")[0] not in sys.stdlib_module_names and not is_future_import(statement) and is_above:
            found = statement
    found = found or module_level_import(program)
    if found is None:
        raise Refusal("MT640", program.module, "it has no imports at module level")
    return found
