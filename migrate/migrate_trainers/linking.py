"""Files that hand builders, trainers or results to each other: finding them, and migrating them as one program."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.engine import explain_refusal
from migrate_trainers.findings import FileResult
from migrate_trainers.reading.linked import LinkedProgram, file_and_line, line_in_file
from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules import legacy_uses
from migrate_trainers.rules.checkpoints.restored import continue_by_name
from migrate_trainers.rules.choice import kept_by_comment, left_by_choice
from migrate_trainers.rules.lightning.conversion import convert
from migrate_trainers.rules.rewrite import Package, finding
from migrate_trainers.rules.rewriter import rewrite_sites
from migrate_trainers.verify import applied

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from migrate_trainers.findings import Finding
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import CallSite
    from migrate_trainers.settings import Settings


def handed_out(
    program: Program, imported: Iterable[str] = (), through_modules: Iterable[cst.Attribute] = ()
) -> set[str]:
    """The names of a module that may give what its migration changes: functions, classes and variables.

    That is a builder, what it built, a trainer, or what this left.

    `imported` are names that the module imports, and that do so in the module that they come from; `through_modules`
    expressions that read such names there.
    """
    made = set(imported)
    named = set(legacy_uses.references(program))
    grows = True
    while grows:
        uses = named | set(through_modules) | {name for name in program.names if name.value in made}
        found = {
            name
            for name, bindings in program.module_scope.bindings.items()
            for binding in bindings
            if binding.kind is not BindingKind.IMPORT and _is_made_of(program, binding.node, uses)
        }
        grows = not found <= made
        made |= found
    return made


def _is_made_of(program: Program, node: cst.CSTNode, uses: set[cst.Name | cst.Attribute]) -> bool:
    if isinstance(node, cst.FunctionDef) and not _hands_out(node.body):
        return False
    return any(program.contains(node, use) for use in uses)


def _hands_out(node: cst.CSTNode) -> bool:
    """Whether a function's body returns or yields anything."""
    if isinstance(node, cst.Yield) or (isinstance(node, cst.Return) and node.value is not None):
        return True
    return not isinstance(node, cst.FunctionDef | cst.ClassDef) and any(map(_hands_out, node.children))


def prepare(program: Program, settings: Settings, package: Package) -> tuple[Program, list[Finding]]:
    """A file after what is settled without the others: it continues runs by their name, and names its package."""
    findings: list[Finding] = []
    with contextlib.suppress(Refusal):  # What is restored is refused with the other uses of the trainer then.
        continuation = continue_by_name(program, settings)
        if continuation.edits:
            program = program.edited(continuation.edits, continues_runs=True)
            findings += continuation.findings
    if package.converts:
        conversion = convert(program)
        program = program.edited(conversion.edits)
        findings += conversion.findings
    return program, findings


def migrate_linked(
    programs: Mapping[Path, Program], originals: Mapping[Path, Program], settings: Settings, package: Package
) -> dict[Path, FileResult]:
    """The results for files that are rewritten as one: all change as they have to, or none does.

    `originals` are the programs as the files of the tree know them.
    """
    paths = sorted(programs, key=lambda path: not legacy_uses.call_sites(programs[path]))
    linked = LinkedProgram([programs[path] for path in paths], [originals[path] for path in paths])
    sites = legacy_uses.call_sites(linked)
    if (chosen := left_by_choice(linked, settings.rules, sites)) is not None:
        return _left(paths, linked, chosen) if chosen else _skipped(paths, linked)
    try:
        edits, findings = rewrite_sites(linked, settings, sites, package)
    except Refusal as refusal:
        findings = explain_refusal(linked, settings, sites, package, refusal)
        return _left(paths, linked, findings)
    results = {}
    for index, path in enumerate(paths):
        program = linked.parts[index]
        own_edits = linked.source.edits_of(index, edits)
        after, problem = applied(program, own_edits)
        if problem is not None:
            fault = finding(linked, "MT903", sites[0].call.func, f"`{path}`: {problem}")
            return _left(paths, linked, [fault])
        if (kept := kept_by_comment(originals[path], after)) is not None:
            return _left(paths, linked, [replace(kept, line=line_in_file(index, kept.line))])
        own = len(legacy_uses.call_sites(program))
        found = tuple(sorted(_of_file(findings, index)))
        results[path] = FileResult(program.source.data, after, own, own, found)
    return results


def _skipped(paths: Sequence[Path], linked: LinkedProgram) -> dict[Path, FileResult]:
    """All is left as the user wants it."""
    results = {}
    for path, part in zip(paths, linked.parts, strict=True):
        number = len(legacy_uses.call_sites(part))
        results[path] = FileResult(part.source.data, part.source.data, number, skipped=number)
    return results


def _left(paths: Sequence[Path], linked: LinkedProgram, findings: Sequence[Finding]) -> dict[Path, FileResult]:
    """Nothing is rewritten; each file without a reason of its own names one that has a reason."""
    at_fault = paths[file_and_line(findings[0].line)[0]]
    results = {}
    for index, path in enumerate(paths):
        program = linked.parts[index]
        sites = legacy_uses.call_sites(program)
        found = _of_file(findings, index)
        if path != at_fault:
            found = [one for one in found if one.code != "MT905"]
            detail = f"`{at_fault}` makes or takes configurations of this file, and was left"
            found += left_with_others(program, sites, detail)
        data = program.source.data
        results[path] = FileResult(data, data, len(sites), 0, tuple(sorted(found)))
    return results


def left_with_others(program: Program, sites: Sequence[CallSite], detail: str) -> list[Finding]:
    """The findings of a file that is left because of another: at each trainer, or else where it first names one."""
    nodes = [site.call.func for site in sites] or list(legacy_uses.references(program))[:1]
    return [finding(program, "MT906", node, detail) for node in nodes]


def _of_file(findings: Sequence[Finding], index: int) -> list[Finding]:
    """The findings of one of the linked files, with the lines that they have there."""
    return [in_file for one in findings for in_file in _in_file(one, index)]


def _in_file(found: Finding, index: int) -> Iterator[Finding]:
    file, line = file_and_line(found.line)
    if file == index:
        yield replace(found, line=line, end_line=file_and_line(found.end_line)[1])
