"""What the command line asks for, done: options become settings, a run its report, and the report is delivered."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrate_trainers.containers import PAGE_SUFFIXES
from migrate_trainers.discovery import SUFFIXES, Patterns, Selection
from migrate_trainers.engine import migrate_source
from migrate_trainers.progress import unwatched, watch_on_terminal
from migrate_trainers.reporting.as_text import Verbosity
from migrate_trainers.reporting.delivery import Output, deliver
from migrate_trainers.reporting.report import Mode, Report
from migrate_trainers.run import Run, without_hidden
from migrate_trainers.selection import Rules
from migrate_trainers.settings import Adoption, Settings, parse_release, parse_version
from migrate_trainers.versions import Projects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STANDARD_INPUT = "-"


class _ReportError(click.ClickException):
    """The report can't be written."""

    exit_code = 2


@dataclass(frozen=True)
class Options:
    """The options of the command line, by their names there."""

    show_diff: bool
    check: bool
    interactive: bool
    target_version: str | None
    target_transformers: str | None
    source_version: str | None
    runtime: str
    docs: bool
    stdin_filename: str | None
    exclude: tuple[str, tuple[str, ...]]
    force_exclude: bool
    no_gitignore: bool
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    allow_dirty: bool
    output_format: str
    output_file: str | None
    quiet: bool
    verbose: bool
    adopt: bool = False
    num_workers: int | None = None
    use_gpu: bool = False

    @property
    def settings(self) -> Settings:
        transformers = self.target_transformers
        return Settings(
            parse_version(self.source_version) if self.source_version is not None else None,
            parse_version(self.target_version) if self.target_version is not None else None,
            parse_release(transformers, "a release") if transformers is not None else None,
            bundled=self.runtime == "bundled",
            rules=Rules(self.select or ("MT",), self.ignore),
            adoption=Adoption(self.num_workers, self.use_gpu) if self.num_workers is not None else None,
        )

    @property
    def selection(self) -> Selection:
        folder, patterns = self.exclude
        return Selection(
            suffixes=SUFFIXES + PAGE_SUFFIXES if self.docs else SUFFIXES,
            gitignore=not self.no_gitignore,
            exclude=(Patterns(folder, patterns),) if patterns else (),
            force_exclude=self.force_exclude,
        )

    @property
    def mode(self) -> Mode:
        return Mode.DIFF if self.show_diff else Mode.CHECK if self.check else Mode.IN_PLACE

    @property
    def output(self) -> Output:
        verbosity = Verbosity.QUIET if self.quiet else Verbosity.VERBOSE if self.verbose else Verbosity.NORMAL
        return Output(self.output_format, Path(self.output_file) if self.output_file else None, verbosity)


def execute(paths: Sequence[str], options: Options, hits: Mapping[str, bytes] | None = None) -> int:
    """Do what the options say with some paths, and give the exit code.

    `hits` are those of them with a legacy name, where they are all files and have been searched. Raises
    `click.UsageError` for what doesn't go together.
    """
    if _STANDARD_INPUT in paths:
        report = _report_on_standard_input(paths, options)
    else:
        run = Run(
            options.selection,
            options.settings,
            options.mode,
            allow_dirty=options.allow_dirty,
            interactive=options.interactive,
            watch=unwatched if options.quiet or options.interactive else watch_on_terminal(),
        )
        found = {str(Path(name)): data for name, data in hits.items()} if hits is not None else None
        report = run([Path(path) for path in paths or (".",)], found)
    try:
        deliver(without_hidden(report, options.settings.rules), options.output)
    except BrokenPipeError:  # The reader has gone: click ends the run without a word.
        raise
    except OSError as error:
        raise _ReportError(f"the report can't be written: {error}") from error
    return report.exit_code


def _report_on_standard_input(paths: Sequence[str], options: Options) -> Report:
    if len(paths) > 1:
        raise click.UsageError("`-` can't be combined with other paths")
    if options.interactive:
        raise click.UsageError("--interactive reads the answers from standard input, so `-` can't be it, too")
    mode = Mode.FILTER if options.mode is Mode.IN_PLACE else options.mode
    if mode is Mode.FILTER and options.output_format != "text" and options.output_file is None:
        raise click.UsageError("`-` writes the code to standard output: add --output-file, or --check")
    name = Path(options.stdin_filename) if options.stdin_filename is not None else None
    path, projects = name or Path("<stdin>"), Projects(options.settings)
    result = migrate_source(sys.stdin.buffer.read(), projects.settings_of(path), name)
    return Report({path: projects.with_target(path, result)}, 1, mode)
