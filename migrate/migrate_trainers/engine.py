"""The whole pipeline for one source: bytes in, new bytes and findings out. Nothing is printed, read or written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from migrate_trainers.containers import container, is_page, looks_like_notebook
from migrate_trainers.file_findings import failure, file_finding, with_finding
from migrate_trainers.findings import FileResult, Finding
from migrate_trainers.reading.prefilter import mentions_legacy_name, mentions_old_api
from migrate_trainers.reading.search import may_import_legacy_name
from migrate_trainers.reading.source import Source, UndecodableError
from migrate_trainers.reading.syntax import TooLargeError, foreign_code, syntax_error
from migrate_trainers.settings import Settings

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import CallSite, Package


@foreign_code()
def migrate_source(data: bytes, settings: Settings | None = None, path: PurePath | None = None) -> FileResult:
    """Rewrite the legacy trainers in the bytes of a Python file, or of what the suffix of its path says.

    >>> migrate_source(b"print('nothing to do')").changed
    False

    Without a path, a notebook is known by what it holds.

    Never raises for what the bytes hold: a syntax error, or code that isn't understood, is a finding, and the bytes
    come back as they were.
    """
    settings = settings or Settings()
    is_of_page = path is not None and is_page(path)
    if is_of_page:
        settings = replace(settings, adoption=None)
    if settings.adoption is None and not mentions_legacy_name(data) and (is_of_page or not mentions_old_api(data)):
        return FileResult(data, data)
    if path is None and looks_like_notebook(data):
        path = PurePath("notebook.ipynb")
    held = container(path, data) if path is not None else None
    if held is not None:
        return held.result([migrate_source(program, settings, PurePath("program.py")) for program in held.programs])
    program = read_program(data) if settings.adoption is None else _parsed(data, needs_import=False)
    if isinstance(program, FileResult):
        return program
    from migrate_trainers.rules.choice import about_comments
    from migrate_trainers.rules.lightning.conversion import package_alone

    try:
        result = with_finding(migrate_program(program, settings, package_alone(program, settings)))
        if settings.adoption is not None and result == FileResult(data, data):
            from migrate_trainers.adopting.adopt import adopt_program

            result = adopt_program(program, settings)
        return about_comments(program, result)
    except Exception as error:  # A fault of the tool in one file must not keep it from the others.
        return failure(data, error)


def read_program(data: bytes) -> Program | FileResult:
    """A source with a legacy name, parsed, or else the result: nothing to do, or bytes that can't be read."""
    if mentions_legacy_name(data):
        return _parsed(data)
    read = _parsed(data) if mentions_old_api(data) else None
    # Nobody needs to hear of a file without a legacy trainer that it can't be read.
    return FileResult(data, data) if read is None or isinstance(read, FileResult) else read


def _parsed(data: bytes, *, needs_import: bool = True) -> Program | FileResult:
    """A source, parsed; without an import of a legacy name's package there may be nothing to do."""
    try:
        source = Source.decode(data)
    except UndecodableError as error:
        return FileResult(data, data, findings=(file_finding("MT901", str(error)),))
    try:
        if not may_import_legacy_name(source.text) and needs_import:
            return FileResult(data, data)
    except TooLargeError as error:
        return FileResult(data, data, findings=(file_finding("MT914", str(error)),))
    if "\0" in source.text:
        return FileResult(data, data, findings=(file_finding("MT900", "it holds null characters"),))
    # Imported late: only a file with a hit pays for libcst.
    import libcst as cst

    from migrate_trainers.reading.directives import may_skip_file, skips_file
    from migrate_trainers.reading.guards import without_guards
    from migrate_trainers.reading.program import Program

    try:
        program = without_guards(Program(source))
        return _skipped(program) if skips_file(program) else program
    except cst.ParserSyntaxError as error:
        if may_skip_file(source.text):
            return FileResult(data, data)
        finding = file_finding("MT900", *syntax_error(source.text, error))
        return FileResult(data, data, findings=(finding,))
    except (RecursionError, MemoryError):
        return FileResult(data, data, findings=(file_finding("MT914", "its code is nested too deeply"),))
    except Exception as error:
        return failure(data, error)


def _skipped(program: Program) -> FileResult:
    """The result for a file that a comment keeps the tool from."""
    from migrate_trainers.rules import legacy_uses

    number = len(legacy_uses.call_sites(program))
    return FileResult(program.source.data, program.source.data, number, skipped=number)


def migrate_program(program: Program, settings: Settings, package: Package) -> FileResult:
    """The result for a parsed source, whose Lightning package is settled."""
    from migrate_trainers.rules import legacy_uses
    from migrate_trainers.rules.choice import kept_by_comment, left_by_choice

    data = program.source.data
    sites = legacy_uses.call_sites(program)
    left = left_by_choice(program, settings.rules, sites)
    if left is not None:
        return FileResult(data, data, len(sites), 0, tuple(left), skipped=len(sites) - len(left))
    result = _migrate_whole(program, settings, package)
    if result.changed and (kept := kept_by_comment(program, result.after)) is not None:
        return FileResult(data, data, len(sites), 0, (kept,))
    return result


def _migrate_whole(program: Program, settings: Settings, package: Package) -> FileResult:
    """The result for a program of which everything is to be migrated."""
    from migrate_trainers.refusal import Refusal
    from migrate_trainers.rules import legacy_uses, old_api
    from migrate_trainers.rules.checkpoints.restored import continue_by_name
    from migrate_trainers.rules.lightning.unpacked import written_out
    from migrate_trainers.rules.tuning.handwritten import builders_for_dictionaries
    from migrate_trainers.rules.tuning.kept_checkpoints import configurations_for_arguments
    from migrate_trainers.rules.tuning.steps import dictionaries_for_steps

    data = program.source.data
    sites = legacy_uses.call_sites(program)
    if not sites and not legacy_uses.only_reads(program) and not old_api.is_taken(program, settings):
        findings = legacy_uses.findings_without_call_site(program)
        return FileResult(data, data, findings=tuple(sorted(findings)))
    try:
        continuation = continue_by_name(program, settings)
    except Refusal as refusal:
        findings = explain_refusal(program, settings, sites, package, refusal)
        return FileResult(data, data, len(sites), 0, tuple(sorted(findings)))
    if continuation.edits:
        program = program.edited(continuation.edits, continues_runs=True)
    steps = [dictionaries_for_steps, builders_for_dictionaries, written_out]
    if settings.strict_target:
        steps.append(configurations_for_arguments)
    for understood in steps:
        if edits := understood(program):
            program = program.edited(edits)
    result = _migrate_in_package(program, settings, package)
    if result.changed:
        return replace(result, findings=tuple(sorted((*result.findings, *continuation.findings))))
    return result


def _migrate_in_package(program: Program, settings: Settings, package: Package) -> FileResult:
    """The result for a program that only constructs its trainers."""
    from migrate_trainers.refusal import Refusal
    from migrate_trainers.rules import legacy_uses
    from migrate_trainers.rules.lightning.conversion import convert
    from migrate_trainers.rules.rewrite import Package

    sites = legacy_uses.call_sites(program)
    if not package.converts:
        return _migrate_sites(program, settings, sites, package)
    try:
        conversion = convert(program)
    except Refusal as refusal:
        return _migrate_sites(program, settings, sites, Package(keeps_old=refusal.detail))
    program = program.edited(conversion.edits)
    result = _migrate_sites(program, settings, legacy_uses.call_sites(program), package)
    if result.changed:
        return replace(result, findings=tuple(sorted((*result.findings, *conversion.findings))))
    return result


def _migrate_sites(program: Program, settings: Settings, sites: list[CallSite], package: Package) -> FileResult:
    from migrate_trainers.refusal import Refusal
    from migrate_trainers.rules.rewriter import rewrite_sites
    from migrate_trainers.verify import applied

    data = program.source.data
    try:
        edits, findings = rewrite_sites(program, settings, sites, package)
    except Refusal as refusal:
        findings = explain_refusal(program, settings, sites, package, refusal)
        return FileResult(data, data, len(sites), 0, tuple(sorted(findings)))
    after, problem = applied(program, edits)
    if problem is not None:
        from migrate_trainers.rules.rewrite import finding

        faults = [finding(program, "MT903", site.call.func, problem) for site in sites]
        return FileResult(data, data, len(sites), 0, tuple(sorted(faults or [file_finding("MT903", problem)])))
    return FileResult(data, after, len(sites), len(sites), tuple(sorted(findings)))


def explain_refusal(
    program: Program, settings: Settings, sites: list[CallSite], package: Package, refusal: Exception
) -> list[Finding]:
    """Why each call site was left: its own reason, or that another one was."""
    from migrate_trainers.refusal import Refusal
    from migrate_trainers.rules.rewrite import finding
    from migrate_trainers.rules.rewriter import rewrite_sites

    reasons: dict[tuple[int, str], Finding] = {}

    def add(new: Finding) -> None:
        reasons.setdefault((new.line * 10_000 + new.column, new.code), new)

    assert isinstance(refusal, Refusal)
    add(finding(program, refusal.code, refusal.node, refusal.detail))
    for site in sites:
        try:
            rewrite_sites(program, settings, [site], package, partly=True)
        except Refusal as own:
            add(finding(program, own.code, own.node, own.detail))
        else:
            add(finding(program, "MT905", site.call.func, f"`{site.trainer}` could be migrated"))
    return list(reasons.values())
