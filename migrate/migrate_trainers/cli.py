"""The command line: what a run that finds nothing needs, and no more.

A hook that runs on every commit starts here and mostly ends here; the rest is imported where there is work.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from migrate_trainers.configuration import ConfigurationError, find_configuration
from migrate_trainers.reading.prefilter import files_with_legacy_name
from migrate_trainers.reporting import FORMATS

_STANDARD_INPUT = "-"
# What a shell says of a command that Ctrl-C has ended.
_INTERRUPTED = 130
_FOLDER = "migrate_trainers.configuration.folder"
_SOURCE_VERSIONS = ("2.4", "2.5", "2.6", "2.7", "2.8")
# What is said for one run; everything else may be written down in a project's configuration.
_OF_ONE_RUN = frozenset(
    {
        "--diff",
        "--check",
        "--interactive",
        "--output-file",
        "--stdin-filename",
        "--quiet",
        "--verbose",
        "--adopt",
        "--num-workers",
        "--use-gpu",
    }
)


def _paths_argument(context: click.Context, parameter: click.Parameter, paths: tuple[str, ...]) -> tuple[str, ...]:
    """The paths, before any option is read: the project around them says what options are by default."""
    options = {
        parameter.opts[-1]: parameter
        for parameter in context.command.params
        if isinstance(parameter, click.Option) and parameter.expose_value and parameter.opts[-1] not in _OF_ONE_RUN
    }
    types = {name.lstrip("-"): _type_of(option) for name, option in options.items()}
    try:
        configuration = find_configuration([path for path in paths if path != _STANDARD_INPUT], types)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    if configuration is not None:
        folder, values = configuration
        context.default_map = {options[f"--{name}"].name: value for name, value in values.items()}
        context.meta[_FOLDER] = folder
    return paths


def _type_of(option: click.Option) -> type:
    """What an option's value is in TOML."""
    return list if option.multiple else bool if option.is_flag else str


def _exclude_option(
    context: click.Context, parameter: click.Parameter, patterns: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Patterns, behind the folder that they were written for."""
    assert parameter.name is not None
    is_configured = context.get_parameter_source(parameter.name) is click.core.ParameterSource.DEFAULT_MAP
    return (context.meta[_FOLDER] if is_configured else os.curdir), patterns


def _version_option(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A version that is one; what is given by default needs no check."""
    if value is None or value == parameter.default:
        return value
    from migrate_trainers.settings import check_version

    assert parameter.name is not None
    try:
        check_version(parameter.name, value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


def _codes_option(context: click.Context, parameter: click.Parameter, codes: tuple[str, ...]) -> tuple[str, ...]:
    if not codes:
        return codes
    from migrate_trainers.selection import parse_codes

    try:
        return parse_codes(codes)
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
    if value != "html":
        return value
    from importlib.util import find_spec

    if not (find_spec("jinja2") and find_spec("pygments")):
        raise click.BadParameter("html needs two more packages: pip install 'migrate-trainers[html]'")
    return value


def _output_file_option(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse early what could only fail once files have been rewritten."""
    if value is None or value == _STANDARD_INPUT:
        return None
    if os.path.isdir(value):
        raise click.BadParameter(f"{value} is a folder")
    if not os.path.isdir(os.path.dirname(value) or os.curdir):
        raise click.BadParameter(f"there is no folder {os.path.dirname(value)}")
    return value


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, type=click.Path(allow_dash=True), is_eager=True, callback=_paths_argument)
@click.option("--diff", "show_diff", is_flag=True, help="Write nothing; print a unified diff that `git apply` takes.")
@click.option("--check", is_flag=True, help="Write nothing; print what would be done.")
@click.option("--interactive", is_flag=True, help="Ask y/n/a/d/q at each call site, showing its diff.")
@click.option(
    "--target-version",
    metavar="VERSION",
    default=None,
    callback=_version_option,
    help="The Ray that the output must run on, 2.7 to latest; else what the requirement files allow, else latest.",
)
@click.option(
    "--target-transformers",
    metavar="VERSION",
    default=None,
    callback=_version_option,
    help="The Transformers that the output must run with, such as 5.0; without it, arguments keep their names.",
)
@click.option(
    "--source-version",
    type=click.Choice(_SOURCE_VERSIONS),
    default=None,
    help="The Ray that the code was written for, where meanings changed; else the requirement files tell, or names.",
)
@click.option(
    "--runtime",
    type=click.Choice(["ray", "bundled"]),
    default="ray",
    show_default=True,
    help="Whose package new imports name: Ray's, or train_runtime.",
)
@click.option("--adopt", is_flag=True, help="Turn scripts that train without Ray into TorchTrainer programs, too.")
@click.option(
    "--num-workers", metavar="NUMBER", type=click.IntRange(min=1), help="How many workers an adopted script trains on."
)
@click.option("--use-gpu", is_flag=True, help="Give each worker of an adopted script a GPU.")
@click.option("--docs", is_flag=True, help="Look for Markdown and reStructuredText pages in folders, too.")
@click.option(
    "--stdin-filename",
    metavar="FILE",
    type=click.Path(),
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
@click.option(
    "--select",
    metavar="CODES",
    multiple=True,
    callback=_codes_option,
    help="Migrate only what these findings are about: MT1 for LightningTrainer, MT2, MT3, MT5 for tuned trainers.",
)
@click.option(
    "--ignore",
    metavar="CODES",
    multiple=True,
    callback=_codes_option,
    help="Leave what these findings are about, and hide those to review; what is left to you is always shown.",
)
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
    type=click.Path(allow_dash=True),
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
@click.pass_context
def main(context: click.Context, /, paths: tuple[str, ...], **options: Any) -> None:
    """Rewrite Ray Train's removed LightningTrainer, TransformersTrainer and AccelerateTrainer.

    PATHS are files and folders; `-` reads standard input and writes standard output; none means the current folder.
    Looked at are Python files and notebooks, and the code blocks of pages (.md, .rst) given by name or with --docs.

    \b
    Exit codes, in place:      0 no legacy code is left, 1 some needs a person, 2 an error.
    With --diff and --check:   0 nothing to do, 1 something would change or needs a person, 2 an error.
    """
    # The object of the context are the hits among the paths, where they have been searched before.
    if options["interactive"] and (options["show_diff"] or options["check"]):
        raise click.UsageError("--interactive rewrites files; --diff and --check do not")
    _check_adoption(paths, options)
    hits = files_with_legacy_name(paths) if context.obj is None else context.obj
    if _is_text_only(options) and hits is not None and not hits:
        if not options["quiet"]:
            # Nothing else is imported for this line, which is all that most runs of a hook print.
            from migrate_trainers.reporting.phrases import nothing_found

            click.echo(nothing_found(len(set(paths))), err=bool(options["show_diff"]))
        return
    try:
        from migrate_trainers.command import Options, execute

        code = execute(paths, Options(**options), hits)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    sys.exit(code)


def _check_adoption(paths: tuple[str, ...], options: dict[str, Any]) -> None:
    """Refuse the options of `--adopt` where they don't go together."""
    if not options["adopt"]:
        if options["num_workers"] is not None or options["use_gpu"]:
            raise click.UsageError("--num-workers and --use-gpu say what --adopt makes of a script: add that")
        return
    if options["num_workers"] is None:
        raise click.UsageError("--adopt needs --num-workers, as in: --adopt train.py --num-workers 4")
    folders = [path for path in paths or (os.curdir,) if os.path.isdir(path)]
    if folders:
        raise click.UsageError(f"--adopt takes files by name, and {folders[0]} is a folder")


def _is_text_only(options: dict[str, Any]) -> bool:
    """Whether a run that finds nothing has nothing to write but one line."""
    if options["adopt"] or options["force_exclude"]:
        return False
    return options["output_format"] == "text" and options["output_file"] is None
