"""The command line."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrate_trainers.discovery import files_around, python_files
from migrate_trainers.engine import error_finding, migrate_source
from migrate_trainers.files import FilesOnDisk, replace_files
from migrate_trainers.findings import FileResult, Kind
from migrate_trainers.project import migrate_project
from migrate_trainers.reading import legacy
from migrate_trainers.report import Summary, finding_lines, unified_diff
from migrate_trainers.settings import Settings, parse_release, parse_version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_STANDARD_INPUT = "-"


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
    from migrate_trainers.catalogue import CATALOGUE

    entry = CATALOGUE.get(code.upper())
    if entry is None:
        raise click.BadParameter(f"{code} is not a finding; they run from MT100 to MT905")
    click.echo(f"{entry.code} ({entry.kind.value}): {entry.title}\n\n{entry.why}\n\nWhat to do: {entry.help}")
    for title, program in _example_of(entry.code):
        click.echo(f"\n{title}:\n\n{textwrap.indent(program, '    ')}", nl=False)
    context.exit()


def _example_of(code: str) -> Iterator[tuple[str, str]]:
    """A program that gives a finding, and what the tool or a person makes of it, with titles."""
    from migrate_trainers.examples import EXAMPLES

    example = EXAMPLES.get(code)
    if example is None:
        return
    yield "Before", example.before
    if example.instead:
        yield "Write instead", example.instead
    else:
        yield "After", example.migrated(example.before).after.decode()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
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
@click.option(
    "--explain", metavar="CODE", callback=_explain, expose_value=False, is_eager=True, help="Explain a finding."
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors and diffs only.")
@click.version_option(version("migrate-trainers"), prog_name="migrate-trainers")
def main(
    paths: tuple[Path, ...],
    show_diff: bool,
    check: bool,
    target_version: tuple[int, int],
    target_transformers: tuple[int, int] | None,
    source_version: str | None,
    runtime: str,
    quiet: bool,
) -> None:
    """Rewrite Ray Train's removed LightningTrainer, TransformersTrainer and AccelerateTrainer.

    PATHS are files and folders; `-` reads standard input and writes standard output; none means the current folder.

    \b
    Exit codes, in place:      0 no legacy code is left, 1 some needs a person, 2 an error.
    With --diff and --check:   0 nothing to do, 1 something would change or needs a person, 2 an error.
    """
    source = parse_version(source_version) if source_version is not None else None
    settings = Settings(source, target_version, target_transformers, bundled=runtime == "bundled")
    if str(_STANDARD_INPUT) in map(str, paths):
        if len(paths) > 1:
            raise click.UsageError("`-` can't be combined with other paths")
        _run_on_standard_input(settings, show_diff=show_diff, check=check)
    _run(paths or (Path("."),), settings, show_diff=show_diff, dry=show_diff or check, quiet=quiet)


def _run_on_standard_input(settings: Settings, *, show_diff: bool, check: bool) -> None:
    data = sys.stdin.buffer.read()
    result = migrate_source(data, settings)
    if show_diff:
        sys.stdout.buffer.write(unified_diff("<stdin>", result))
    elif not check:
        sys.stdout.buffer.write(result.after)
    sys.stdout.buffer.flush()
    for line in finding_lines("<stdin>", result):
        click.echo(line, err=True)
    sys.exit(_exit_code([result], dry=show_diff or check))


def _run(paths: Sequence[Path], settings: Settings, *, show_diff: bool, dry: bool, quiet: bool) -> None:
    files = FilesOnDisk(python_files(paths))
    results = migrate_project(files, settings, FilesOnDisk(files_around(paths)))
    if not dry:
        results = _written(results)
    summary = Summary(len(files))
    for path, result in results.items():
        summary.add(result)
        if show_diff:
            _print_diff(path, result)
        elif not quiet and result.changed:
            verb = "would migrate" if dry else "migrated"
            count = f" ({result.migrated} of {result.call_sites})" if result.call_sites else ""
            click.echo(f"{verb} {path}{count}")
        for line in finding_lines(str(path), result):
            if not quiet or result.has(Kind.ERROR):
                click.echo(line, err=True)
    if not quiet:
        click.echo(summary.text(dry=dry), err=show_diff)
    sys.exit(_exit_code(results.values(), dry=dry))


def _print_diff(path: Path, result: FileResult) -> None:
    diff = unified_diff(path.as_posix().lstrip("/"), result)
    if sys.stdout.isatty():
        for line in diff.decode("utf-8", "replace").splitlines():
            click.secho(line, fg={"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(diff)
    sys.stdout.buffer.flush()


def _written(results: dict[Path, FileResult]) -> dict[Path, FileResult]:
    """Write what has changed; files that belong together are all written, or all left with a finding."""
    written = dict(results)
    pending = {path: result for path, result in results.items() if result.changed}
    while pending:
        first = next(iter(pending))
        group = {path: pending.pop(path) for path in (pending[first].together or {first})}
        try:
            replace_files({path: (result.before, result.after) for path, result in group.items()})
        except OSError as error:
            finding = error_finding("MT902", error.strerror or str(error))
            for path, result in group.items():
                written[path] = replace(result, after=result.before, migrated=0, findings=(finding,))
    return written


def _exit_code(results: Collection[FileResult], *, dry: bool) -> int:
    if any(result.has(Kind.ERROR) for result in results):
        return 2
    if any(result.has(Kind.MANUAL) or (dry and result.changed) for result in results):
        return 1
    return 0
