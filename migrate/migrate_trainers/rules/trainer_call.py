"""What the three legacy constructors have in common: their arguments, and how a call becomes a TorchTrainer's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.restored import restoring_calls
from migrate_trainers.rules.configs import arguments_behind, dictionary_behind, find_config_call, lacks_workers
from migrate_trainers.writing.arguments import bound_arguments, keyword_argument
from migrate_trainers.writing.render import Argument, sequence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrate_trainers.rules.rewrite import CallSite, Rewrite

_COMMON = frozenset(
    {
        "torch_config",
        "scaling_config",
        "dataset_config",
        "run_config",
        "datasets",
        "preprocessor",
        "resume_from_checkpoint",
        "metadata",
    }
)


def trainer_arguments(site: CallSite, own: tuple[str, ...]) -> dict[str, cst.Arg]:
    """A legacy trainer's arguments by name; the first of its `own` may be positional. Raises `Refusal`."""
    if any(argument.star for argument in site.call.args):
        raise Refusal("MT104", site.call, f"the arguments of `{site.trainer}`")
    arguments = bound_arguments(site.call, own[:1])
    if arguments is None:
        raise Refusal("MT106", site.call, f"`{site.trainer}` takes one positional argument")
    for name, argument in arguments.items():
        if name not in _COMMON and name not in own:
            raise Refusal("MT106", argument, f"`{site.trainer}` has no argument `{name}`")
    return arguments


def is_absent(arguments: dict[str, cst.Arg], name: str) -> bool:
    """Whether an argument is left out, None, or an empty dictionary."""
    argument = arguments.get(name)
    if argument is None:
        return True
    value = argument.value
    return (isinstance(value, cst.Name) and value.value == "None") or (
        isinstance(value, cst.Dict) and not value.elements
    )


def drop_absent(rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg], *names: str) -> None:
    """Remove arguments that say nothing, and that the target doesn't take."""
    for name in names:
        if name in arguments and is_absent(arguments, name):
            rewrite.arguments_of(site.call).remove(arguments[name])


def refuse_unsupported(
    rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg], *, preprocesses: bool = False
) -> None:
    """Raise `Refusal` for arguments that no trainer of the target has; drop those that say nothing.

    `preprocesses` says that the driver applies the preprocessor itself.
    """
    if not preprocesses and not is_absent(arguments, "preprocessor"):
        raise Refusal("MT403", arguments["preprocessor"], "`preprocessor=...`")
    if rewrite.settings.strict_target and not is_absent(arguments, "metadata"):
        raise Refusal("MT403", arguments["metadata"], "`metadata=...`")
    drop_absent(rewrite, site, arguments, "preprocessor")
    _check_configurations(rewrite, arguments)
    scaling = arguments.get("scaling_config")
    if scaling is not None and dictionary_behind(rewrite.program, scaling.value) is not None:
        name = rewrite.class_named("ray.train.ScalingConfig")
        start, end = rewrite.program.outer_span(scaling.value)
        rewrite.edits += [Edit(start, start, f"{name}(**"), Edit(end, end, ")")]
    if rewrite.settings.strict_target:
        drop_absent(rewrite, site, arguments, "metadata", "resume_from_checkpoint")


def _check_configurations(rewrite: Rewrite, arguments: dict[str, cst.Arg]) -> None:
    """Refuse a configuration that is given as another one."""
    program = rewrite.program
    for name, expected in (("scaling_config", "ScalingConfig"), ("run_config", "RunConfig")):
        for other in legacy.DROPPED_ARGUMENTS:
            if name in arguments and other != expected and find_config_call(program, arguments[name].value, other):
                raise Refusal("MT106", arguments[name], f"`{name}` is a `{other}`")


def check_workers(rewrite: Rewrite, site: CallSite) -> None:
    """Refuse a trainer without a number of workers, unless `Tuner` may bring it in its `param_space`."""
    program = rewrite.program
    if any(program.qualified_name(call.func) in legacy.TUNERS for call in program.calls):
        return
    scaling = keyword_argument(site.call, "scaling_config")
    if lacks_workers(rewrite, scaling.value if scaling is not None else None):
        raise Refusal("MT106", scaling or site.call, f"`{site.trainer}` required `ScalingConfig(num_workers=...)`")


def rename_trainer(rewrite: Rewrite, site: CallSite) -> None:
    """Make the call construct a TorchTrainer."""
    name = rewrite.class_named("ray.train.torch.TorchTrainer")
    rewrite.edits.append(Edit(*rewrite.program.span(site.call.func), name))


def function_argument(
    rewrite: Rewrite, site: CallSite, argument: cst.Arg, name: str, config: Mapping[str, str]
) -> None:
    """Put the train function (and what is passed to it) where the legacy trainer's own argument was."""
    edits = rewrite.arguments_of(site.call)
    if not config:
        train_function_argument(rewrite, site, argument, name, None)
        return
    edits.spread_if_too_long(sum(len(key) + len(value) + 6 for key, value in config.items()))
    unit = rewrite.program.module.default_indent
    items = [Argument(f'"{key}": {value}') for key, value in config.items()]
    indent = edits.line_indent or edits.base_indent()
    literal = sequence("{", items, "}", indent, unit, before="train_loop_config=,")
    train_function_argument(rewrite, site, argument, name, literal)


def train_function_argument(rewrite: Rewrite, site: CallSite, argument: cst.Arg, name: str, config: str | None) -> None:
    """The same with the text of `train_loop_config`, if any."""
    edits = rewrite.arguments_of(site.call)
    text = name if site.call.args[0] is argument else f"train_loop_per_worker={name}"
    if config is not None:
        separator = ", " if edits.line_indent is None else f",\n{edits.line_indent}"
        text += f"{separator}train_loop_config={config}"
    edits.replace(argument, text)


def is_given_for_resuming(rewrite: Rewrite, node: cst.BaseExpression) -> bool:
    """Whether an expression is a trainer's `resume_from_checkpoint` on a target whose trainers don't take it."""
    argument = rewrite.program.parent(node)
    call = rewrite.program.parent(argument) if isinstance(argument, cst.Arg) else None
    if not isinstance(argument, cst.Arg) or not isinstance(call, cst.Call) or not rewrite.settings.strict_target:
        return False
    is_trainer = rewrite.program.qualified_name(call.func) in legacy.TRAINERS
    return is_trainer and argument.keyword is not None and argument.keyword.value == "resume_from_checkpoint"


def may_resume(rewrite: Rewrite, arguments: dict[str, cst.Arg]) -> bool:
    """Whether a worker can find a checkpoint when it starts: after a failure, because one was given, or restored."""
    if rewrite.program.continues_runs or restoring_calls(rewrite.program):
        return True
    if not is_absent(arguments, "resume_from_checkpoint"):
        return True
    if is_absent(arguments, "run_config"):
        return False
    run_arguments = arguments_behind(rewrite, arguments["run_config"].value, "RunConfig")
    if run_arguments is None:
        return True
    if is_absent(run_arguments, "failure_config"):
        return False
    failure_arguments = arguments_behind(rewrite, run_arguments["failure_config"].value, "FailureConfig")
    if failure_arguments is None:
        return True
    failures = failure_arguments.get("max_failures")
    return failures is not None and not (
        isinstance(failures.value, cst.Integer) and failures.value.evaluated_value == 0
    )


def warn_of_continuation(rewrite: Rewrite, arguments: dict[str, cst.Arg]) -> None:
    """A named run with resume code continues when it is run again on current Ray: say so."""
    if not rewrite.settings.strict_target or is_absent(arguments, "run_config"):
        return
    run_arguments = arguments_behind(rewrite, arguments["run_config"].value, "RunConfig")
    if run_arguments is not None and "name" in run_arguments:
        rewrite.review("MT115", run_arguments["name"], "")
