"""The command line."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrate_trainers.changes import without_uncommitted, write
from migrate_trainers.configuration import ConfigurationError, find_configuration
from migrate_trainers.containers import PAGE_SUFFIXES
from migrate_trainers.discovery import SUFFIXES, Patterns, Selection, files_around, find_files
from migrate_trainers.engine import migrate_source
from migrate_trainers.files import FilesOnDisk
from migrate_trainers.project import migrate_project
from migrate_trainers.reading import legacy
from migrate_trainers.reporting import FORMATS
from migrate_trainers.reporting.as_text import Verbosity
from migrate_trainers.reporting.delivery import Output, deliver
from migrate_trainers.reporting.report import Mode, Report
from migrate_trainers.settings import Settings, parse_release, parse_version

if TYPE_CHECKING:
    from collections.abc import Sequence

_STANDARD_INPUT = "-"
# What is said for one run; everything else may be written down in a project's configuration.
_OF_ONE_RUN = frozenset(
    {"--diff", "--check", "--interactive", "--output-file", "--stdin-filename", "--quiet", "--verbose"}
)
_CONFIGURATION = "migrate_trainers.configuration"


class _ReportError(click.ClickException):
    """The report can't be written."""

    exit_code = 2


def _paths_argument(context: click.Context, parameter: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """The paths, before any option is read: the project around them says what options are by default."""
    options = {
        parameter.opts[-1]: parameter
        for parameter in context.command.params
        if isinstance(parameter, click.Option) and parameter.expose_value and parameter.opts[-1] not in _OF_ONE_RUN
    }
    types = {name.lstrip("-"): _type_of(option) for name, option in options.items()}
    try:
        configuration = find_configuration([path for path in paths if str(path) != _STANDARD_INPUT], types)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    if configuration is not None:
        context.default_map = {options[f"--{name}"].name: value for name, value in configuration.options.items()}
        context.meta[_CONFIGURATION] = configuration
    return paths


def _type_of(option: click.Option) -> type:
    """What an option's value is in TOML."""
    return list if option.multiple else bool if option.is_flag else str


def _exclude_option(context: click.Context, parameter: click.Parameter, lines: tuple[str, ...]) -> tuple[Patterns, ...]:
    """Patterns, for files below the folder in which they were written."""
    if not lines:
        return ()
    assert parameter.name is not None
    is_configured = context.get_parameter_source(parameter.name) is click.core.ParameterSource.DEFAULT_MAP
    return (Patterns(str(context.meta[_CONFIGURATION].folder) if is_configured else os.curdir, lines),)


def _version_option(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    try:
        parsed = parse_version(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if parameter.name == "target_version" and parsed < legacy.FIRST_TARGET:
        raise click.BadParameter("the new API exists since Ray 2.7")
    return parsed


def _release_option(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    try:
        return None if value is None else parse_release(value, "a release of Transformers such as 5.0")
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _explain(context: click.Context, parameter: click.Parameter, code: str | None) -> None:
    if code is None:
        return
    # Imported late: only who asks pays for the examples.
    from migrate_trainers.explain import explanation

    try:
        text = explanation(code)
    except KeyError as error:
        raise click.BadParameter(error.args[0]) from error
    click.echo(text, nl=False)
    context.exit()


def _no_color_option(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value or os.environ.get("NO_COLOR"):
        context.color = False


def _output_format_option(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if value == "html" and not (find_spec("jinja2") and find_spec("pygments")):
        raise click.BadParameter("html needs two more packages: pip install 'migrate-trainers[html]'")
    return value


def _output_file_option(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """Refuse early what could only fail once files have been rewritten."""
    if value is None or str(value) == "-":
        return None
    if value.is_dir():
        raise click.BadParameter(f"{value} is a folder")
    if not value.parent.is_dir():
        raise click.BadParameter(f"there is no folder {value.parent}")
    return value


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument(
    "paths", nargs=-1, type=click.Path(path_type=Path, allow_dash=True), is_eager=True, callback=_paths_argument
)
@click.option("--diff", "show_diff", is_flag=True, help="Write nothing; print a unified diff that `git apply` takes.")
@click.option("--check", is_flag=True, help="Write nothing; print what would be done.")
@click.option(
    "--target-version",
    default="latest",
    show_default=True,
    callback=_version_option,
    help="The Ray that the output must run on: 2.7 or newer.",
)
@click.option(
    "--target-transformers",
    metavar="VERSION",
    default=None,
    callback=_release_option,
    help="The Transformers that the output must run with, such as 5.0; without it, arguments keep their names.",
)
@click.option(
    "--source-version",
    type=click.Choice(legacy.SOURCE_VERSIONS),
    default=None,
    help="The Ray that the code was written for, where meanings changed; else each file's names tell, else 2.6.",
)
@click.option(
    "--runtime",
    type=click.Choice(["ray", "bundled"]),
    default="ray",
    show_default=True,
    help="Whose package new imports name: Ray's, or train_runtime.",
)
@click.option("--docs", is_flag=True, help="Look for Markdown and reStructuredText pages in folders, too.")
@click.option(
    "--stdin-filename",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The name whose suffix says what standard input holds; without it, Python or a notebook.",
)
@click.option(
    "--exclude",
    metavar="PATTERN",
    multiple=True,
    callback=_exclude_option,
    help="Leave out what a pattern, as in a .gitignore, matches below the given folders.",
)
@click.option("--force-exclude", is_flag=True, help="Leave it out of what is given by name, too, as pre-commit does.")
@click.option("--no-gitignore", is_flag=True, help="Look at files that git ignores, too.")
@click.option("--allow-dirty", is_flag=True, help="Rewrite files below a folder whose changes are not committed.")
@click.option(
    "--explain", metavar="CODE", callback=_explain, expose_value=False, is_eager=True, help="Explain a finding."
)
@click.option(
    "--output-format",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    callback=_output_format_option,
    help="The form of the report: the findings, with the diff of each file.",
)
@click.option(
    "--output-file",
    metavar="FILE",
    type=click.Path(path_type=Path, allow_dash=True),
    callback=_output_file_option,
    help="Write the report to a file; the terminal shows the findings and the summary.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors, and the report or the diff, only.")
@click.option("-v", "--verbose", is_flag=True, help="Print what was migrated, too.")
@click.option(
    "--no-color",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_no_color_option,
    help="Print without colours, as NO_COLOR=1 in the environment does.",
)
@click.version_option(package_name="migrate-trainers", prog_name="migrate-trainers")
def main(
    paths: tuple[Path, ...],
    show_diff: bool,
    check: bool,
    target_version: tuple[int, int],
    target_transformers: tuple[int, int] | None,
    source_version: str | None,
    runtime: str,
    exclude: tuple[Patterns, ...],
    force_exclude: bool,
    no_gitignore: bool,
    allow_dirty: bool,
    output_format: str,
    output_file: Path | None,
    docs: bool,
    stdin_filename: Path | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Rewrite Ray Train's removed LightningTrainer, TransformersTrainer and AccelerateTrainer.

    PATHS are files and folders; `-` reads standard input and writes standard output; none means the current folder.
    Looked at are Python files and notebooks, and the code blocks of pages (.md, .rst) given by name or with --docs.

    \b
    Exit codes, in place:      0 no legacy code is left, 1 some needs a person, 2 an error.
    With --diff and --check:   0 nothing to do, 1 something would change or needs a person, 2 an error.
    """
    source = parse_version(source_version) if source_version is not None else None
    settings = Settings(source, target_version, target_transformers, bundled=runtime == "bundled")
    verbosity = Verbosity.QUIET if quiet else Verbosity.VERBOSE if verbose else Verbosity.NORMAL
    output = Output(output_format, output_file, verbosity)
    mode = Mode.DIFF if show_diff else Mode.CHECK if check else Mode.IN_PLACE
    if str(_STANDARD_INPUT) in map(str, paths):
        if len(paths) > 1:
            raise click.UsageError("`-` can't be combined with other paths")
        mode = Mode.FILTER if mode is Mode.IN_PLACE else mode
        if mode is Mode.FILTER and output.format != "text" and output.file is None:
            raise click.UsageError("`-` writes the code to standard output: add --output-file, or --check")
        report = _run_on_standard_input(settings, mode, stdin_filename)
    else:
        selection = Selection(
            suffixes=SUFFIXES + PAGE_SUFFIXES if docs else SUFFIXES,
            gitignore=not no_gitignore,
            exclude=exclude,
            force_exclude=force_exclude,
        )
        report = _run(paths or (Path("."),), selection, settings, mode, allow_dirty=allow_dirty)
    try:
        deliver(report, output)
    except BrokenPipeError:  # The reader has gone: click ends the run without a word.
        raise
    except OSError as error:
        raise _ReportError(f"the report can't be written: {error}") from error
    sys.exit(report.exit_code)


def _run_on_standard_input(settings: Settings, mode: Mode, name: Path | None) -> Report:
    result = migrate_source(sys.stdin.buffer.read(), settings, name)
    return Report({name or Path("<stdin>"): result}, 1, mode)


def _run(paths: Sequence[Path], selection: Selection, settings: Settings, mode: Mode, *, allow_dirty: bool) -> Report:
    found = find_files(paths, selection)
    files = FilesOnDisk(found.names, found.named)
    results = migrate_project(files, settings, FilesOnDisk(files_around(paths)))
    if mode is Mode.IN_PLACE:
        results = write(results if allow_dirty else without_uncommitted(results, found.named))
    return Report(results, len(files), mode)
