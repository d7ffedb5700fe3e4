"""What TransformersTrainer and old releases implied about the arguments, said in the code or to the reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.transformers_arguments import AVERAGES_TOKENS, AVERAGES_TOKENS_SINCE, USE_CPU_SINCE
from migrate_trainers.rules.configs import uses_gpu
from migrate_trainers.rules.legacy_uses import call_sites
from migrate_trainers.rules.literals import is_none, string
from migrate_trainers.rules.trainer_call import trainer_arguments
from migrate_trainers.rules.transformers.made_trainers import functions_behind, reach_of
from migrate_trainers.rules.transformers.site import OWN_ARGUMENTS

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.transformers.training_arguments import GivenArguments, TrainersArguments

_DEVICES = ("no_cuda", "use_cpu", "use_mps_device")


def say_what_was_implied(rewrite: Rewrite, init: cst.Arg, arguments: TrainersArguments) -> None:
    """Give the `TrainingArguments(...)` calls what the Trainer got by itself, or say what changes."""
    new = [given for given in arguments.given if given.call not in rewrite.adapted]
    rewrite.adapted.update(given.call for given in new)
    _leave_out_integrations(rewrite, init, arguments, new)
    _stay_on_cpu(rewrite, init, arguments, new)
    average_workers(rewrite, init, arguments, new)
    for given in new:
        fit_line(rewrite, given.call)


def fit_line(rewrite: Rewrite, call: cst.Call) -> None:
    """Spread the `Trainer(...)` around a call whose new arguments are too long for their line."""
    argument = rewrite.program.parent(call)
    outer = rewrite.program.parent(argument) if isinstance(argument, cst.Arg) else None
    if isinstance(argument, cst.Arg) and isinstance(outer, cst.Call):
        rewrite.arguments_of(outer).make_room_for(rewrite.arguments_of(call), argument)


# Integrations with other services


def hides_integrations(arguments: TrainersArguments) -> bool:
    """Whether the Trainer may be given integrations out of sight, which must be removed from it as before."""
    return not arguments.is_known or any(given.hides_some and not given.has("report_to") for given in arguments.given)


def _leave_out_integrations(
    rewrite: Rewrite, init: cst.Arg, arguments: TrainersArguments, new: list[GivenArguments]
) -> None:
    """They didn't run, whatever `report_to` said."""
    if hides_integrations(arguments):
        rewrite.review("MT213", init, "")
        return
    for change in arguments.changes:
        for node in _set_report_to(rewrite, change):
            if not _is_nothing(node):
                rewrite.review("MT211", node, "")
    for given in new:
        value = given.value("report_to")
        if value is None:
            rewrite.arguments_of(given.call).append(lambda _: 'report_to="none"')
        elif is_none(value) and "report_to" in given.written:
            # None stood for all that were installed.
            rewrite.arguments_of(given.call).replace(given.written["report_to"], 'report_to="none"')
        elif not _is_nothing(value):
            rewrite.review("MT211", given.written.get("report_to", value), "")


def _set_report_to(rewrite: Rewrite, change: cst.CSTNode) -> list[cst.BaseExpression]:
    """What `report_to` is set to where arguments are changed."""
    if isinstance(change, cst.Attribute) and change.attr.value == "report_to":
        target = rewrite.program.parent(change)
        statement = rewrite.program.parent(target) if isinstance(target, cst.AssignTarget) else target
        return [statement.value] if isinstance(statement, cst.Assign) else [change]
    call = rewrite.program.parent(change) if isinstance(change, cst.Attribute) else change
    if not isinstance(call, cst.Call):
        return []
    return [one.value for one in call.args if one.keyword is not None and one.keyword.value == "report_to"]


def _is_nothing(node: cst.BaseExpression) -> bool:
    """Whether a `report_to` names no integration: "none", a list of that, or an empty one."""
    if isinstance(node, cst.List | cst.Tuple):
        return all(string(element.value) == "none" for element in node.elements)
    return string(node) == "none"


# Devices


def _stay_on_cpu(rewrite: Rewrite, init: cst.Arg, arguments: TrainersArguments, new: list[GivenArguments]) -> None:
    """Workers without a GPU used to see none; on current Ray they see the machine's, which the Trainer would take."""
    if not rewrite.settings.strict_target:
        return
    changed = any(isinstance(one, cst.Attribute) and one.attr.value in _DEVICES for one in arguments.changes)
    if not arguments.is_known:
        if _gpu_uses(rewrite, None) != {True}:
            rewrite.review("MT227", init, "")
        return
    for given in new:
        uses = _gpu_uses(rewrite, given.call)
        if changed or given.has(*_DEVICES) or uses == {True}:
            continue
        text = _cpu_argument(rewrite, init, given, uses)
        if text is None:
            rewrite.review("MT227", given.call, "")
        else:
            rewrite.arguments_of(given.call).append(lambda _, text=text: text)  # type: ignore[misc]


def _gpu_uses(rewrite: Rewrite, call: cst.Call | None) -> set[bool | None]:
    """What `use_gpu` the trainers say whose workers get what a call makes; of all trainers without one."""
    uses = set()
    for site in call_sites(rewrite.program):
        if site.trainer != legacy.TRANSFORMERS_TRAINER:
            continue
        arguments = trainer_arguments(site, OWN_ARGUMENTS)
        own = arguments.get("trainer_init_per_worker")
        if call is None or (own is not None and call in reach_of(rewrite.program, own.value).calls):
            scaling = arguments.get("scaling_config")
            uses.add(uses_gpu(rewrite, scaling.value if scaling is not None else None))
    return uses


def _cpu_argument(rewrite: Rewrite, init: cst.Arg, given: GivenArguments, uses: set[bool | None]) -> str | None:
    """What keeps the Trainer on the CPU where the worker has no GPU, None where no argument can say that."""
    if given.hides_some:
        return None
    release = rewrite.settings.target_transformers
    name = "no_cuda" if release is not None and release < USE_CPU_SINCE else "use_cpu"
    if uses == {False}:
        return f"{name}=True"
    program = rewrite.program
    if not any(program.contains(function, given.call) for function in functions_behind(program, init.value)):
        return None
    return f'{name}={rewrite.class_named("ray.train.torch.get_device")}().type == "cpu"'


# Losses


def average_workers(
    rewrite: Rewrite, node: cst.CSTNode, arguments: TrainersArguments, new: list[GivenArguments]
) -> None:
    """Have the loss be the mean of the workers' losses, which newer releases multiply by their number for most models.

    Where that can't be written, a finding says so: about `node`, if it isn't known which arguments the Trainer gets.
    """
    release = rewrite.settings.target_transformers
    if release is not None and release < AVERAGES_TOKENS_SINCE:
        return
    if not arguments.is_known:
        rewrite.review("MT215", node, "")
    for given in new:
        if given.has(AVERAGES_TOKENS):
            continue
        if release is not None and arguments.is_known and not given.hides_some:
            rewrite.arguments_of(given.call).append(lambda _: f"{AVERAGES_TOKENS}=False")
        else:
            rewrite.review("MT215", given.call.func, "")
