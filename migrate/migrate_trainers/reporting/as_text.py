"""The report for a terminal or a log: a line a file, a line a finding with what to do, and a summary."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import click

from migrate_trainers.findings import Kind
from migrate_trainers.reporting.phrases import counted, nothing_found
from migrate_trainers.reporting.places import shown
from migrate_trainers.reporting.report import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from migrate_trainers.findings import FileResult, Finding
    from migrate_trainers.reporting.report import Report

_LABELS = {Kind.MIGRATED: "migrated", Kind.REVIEW: "review", Kind.MANUAL: "left to you", Kind.ERROR: "error"}
_COLOURS = {Kind.MIGRATED: "green", Kind.REVIEW: "yellow", Kind.MANUAL: "magenta", Kind.ERROR: "red"}


class Verbosity(IntEnum):
    """How much a run prints."""

    QUIET = -1
    NORMAL = 0
    VERBOSE = 1


def render(report: Report) -> bytes:
    """The patch of a run with `--diff`; else what the terminal would show, without colours."""
    if report.mode is Mode.DIFF:
        from migrate_trainers.reporting.diffs import patch

        return patch(report)
    return "".join(f"{click.unstyle(line)}\n" for line in lines(report)).encode()


def lines(report: Report, verbosity: Verbosity = Verbosity.NORMAL) -> Iterator[str]:
    """What a run says, in colours; quiet: only its errors; a filter: only its findings."""
    names_files = verbosity > Verbosity.QUIET and report.mode in (Mode.IN_PLACE, Mode.CHECK)
    explained: set[str] = set()
    for path, result in report.results.items():
        if names_files and result.changed:
            yield _file_line(path, result, dry=report.dry)
        for finding in result.findings:
            if _is_told(finding, verbosity):
                yield _finding_line(path, finding)
                if finding.code not in explained:
                    explained.add(finding.code)
                    if verbosity is Verbosity.VERBOSE:
                        yield click.style(f"    {_why(finding)}", dim=True)
                    yield click.style(f"    {finding.help}", dim=True)
    if verbosity > Verbosity.QUIET and report.mode is not Mode.FILTER:
        if explained:
            yield click.style("`migrate-trainers --explain CODE` tells more about a finding.", dim=True)
        yield summary_line(report)


def _is_told(finding: Finding, verbosity: Verbosity) -> bool:
    if verbosity is Verbosity.QUIET:
        return finding.kind is Kind.ERROR
    return verbosity is Verbosity.VERBOSE or finding.kind is not Kind.MIGRATED


def _file_line(path: Path, result: FileResult, *, dry: bool) -> str:
    verb = "would migrate" if dry else "migrated"
    count = f" ({counted(result.migrated, 'trainer')})" if result.migrated else ""
    return f"{verb} {click.style(_printable(path), bold=True)}{count}"


def _finding_line(path: Path, finding: Finding) -> str:
    cell = f"cell {finding.cell}:" if finding.cell is not None else ""
    place = click.style(f"{_printable(path)}:{cell}{finding.line}:{finding.column}", bold=True)
    label = click.style(f"{finding.code} {_LABELS[finding.kind]}", fg=_COLOURS[finding.kind])
    return f"{place}: {label}: {finding.message}"


def _why(finding: Finding) -> str:
    # Imported late: only a run with findings pays for the catalogue.
    from migrate_trainers.catalogue import CATALOGUE

    return CATALOGUE[finding.code].why


def _printable(path: Path) -> str:
    """A path on one line, and without what a terminal takes as a command."""
    return "".join(part if part.isprintable() else repr(part)[1:-1] for part in shown(path))


def summary_line(report: Report) -> str:
    """One sentence on the whole run."""
    summary = report.summary
    if not (summary.call_sites or summary.changed or summary.manual or summary.errors):
        return nothing_found(summary.files)
    if report.skipped == summary.call_sites and not (summary.changed or summary.manual or summary.errors):
        skipped = counted(report.skipped, "legacy trainer")
        return f"{counted(summary.files, 'file')} looked at: {skipped} left, as comments or options say."
    done, noun = ("adopted", "trainer") if report.adopts else ("migrated", "legacy trainer")
    verb = f"would be {done}" if report.dry else done
    files = counted(summary.changed, "file")
    trainers = f"{summary.migrated} of {counted(summary.call_sites, noun)}"
    parts = [f"{trainers} {verb} in {files}" if summary.call_sites or not summary.changed else f"{files} {verb}"]
    parts += [f"{report.skipped} left as comments or options say"] if report.skipped else []
    parts += [f"{summary.review} to review"] if summary.review else []
    parts += [f"{summary.manual} left to you"] if summary.manual else []
    parts += [counted(summary.errors, "error")] if summary.errors else []
    return ", ".join(parts) + "."
