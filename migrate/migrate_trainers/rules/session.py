"""`ray.air.session`, and the getters of `ray.train.get_context()`: what workers ask of their run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.configs import arguments_behind
from migrate_trainers.rules.literals import is_none
from migrate_trainers.rules.storage import is_stored_locally
from migrate_trainers.rules.tuning.reach import reach_of
from migrate_trainers.rules.tuning.schedulers import starts_trials_again
from migrate_trainers.writing.arguments import keyword_argument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

_TRIAL_NAME, _TRIAL_FOLDER, _TRIAL_ID = "get_trial_name", "get_trial_dir", "get_trial_id"
# What a train function can be given in place of what it asked for.
_ADVICE = {
    _TRIAL_NAME: "; in a trial, `get_experiment_name()` of the train function's context has the trial's id",
    _TRIAL_FOLDER: "; `get_storage().experiment_fs_path` of the context is the folder of the run, of any storage",
    _TRIAL_ID: "; give `train_loop_config` an id of the driver's making, such as `uuid.uuid4().hex`",
    "get_trial_resources": "; the `ScalingConfig` said them: give `train_loop_config` what the function needs of it",
    "get_metadata": "; give `train_loop_config` what the trainer has as `metadata`",
}
_Found = tuple[cst.CSTNode, str]


def session_function(rewrite: Rewrite, node: cst.Name | cst.Attribute, qualified: str) -> _Found | None:
    """The node to write anew where a function of `ray.air.session` is named, and its text; raises `Refusal`."""
    name = qualified.removeprefix(f"{legacy.SESSION_MODULE}.")
    is_known = name in legacy.SESSION_FUNCTIONS | legacy.SESSION_GETTERS | legacy.SESSION_TRIAL_GETTERS
    if is_known and rewrite.settings.strict_target:
        _check_in_worker(rewrite.program, node)
    if name in legacy.SESSION_FUNCTIONS:
        return node, rewrite.function_named(f"ray.train.{name}")
    context = f"{rewrite.function_named(legacy.CONTEXT)}()" if is_known else ""
    if name in legacy.SESSION_TRIAL_GETTERS and rewrite.settings.strict_target:
        return _of_the_run(rewrite, node, name, context, f"`session.{name}`")
    return (node, f"{context}.{name}") if is_known else None


def migrate_context(rewrite: Rewrite) -> dict[cst.CSTNode, str]:
    """The new text of what reads the context as Ray 1 or 2.7 had it; raises `Refusal`."""
    program = rewrite.program
    replaced: dict[cst.CSTNode, str] = {}
    for node in (*program.names, *program.attributes):
        qualified = program.qualified_name(node) or ""
        is_imported_getter = qualified in legacy.FIRST_GETTERS and isinstance(node, cst.Name)
        if qualified in legacy.FIRST_CHECKPOINTING or is_imported_getter:
            raise Refusal("MT401", node, f"`{qualified}`")
        if qualified in legacy.FIRST_GETTERS:
            replaced[node] = f"{rewrite.function_named(legacy.CONTEXT)}().{legacy.FIRST_GETTERS[qualified]}"
    for call in program.calls:
        if program.qualified_name(call.func) == "ray.train.report" and _is_of_first_form(call):
            rewrite.edits += _as_dictionary(program, call)
    if rewrite.settings.strict_target:
        for node, _ in trial_getters(program):
            is_variable = isinstance(node.value, cst.Name)
            context = program.text(node.value) if is_variable else f"{rewrite.function_named(legacy.CONTEXT)}()"
            name = node.attr.value
            found = _of_the_run(rewrite, node, name, context, f"`get_context().{name}`")
            replaced[found[0]] = found[1]
    return replaced


def _is_of_first_form(call: cst.Call) -> bool:
    """Whether a report names its metrics by keywords, as Ray 1 did; raises `Refusal` where a star hides that."""
    keywords = {argument.keyword.value for argument in call.args if argument.keyword is not None}
    if not call.args or keywords & legacy.REPORT_KEYWORDS or any(_is_positional(one) for one in call.args):
        return False
    if not keywords:
        raise Refusal("MT104", call, "the arguments of `ray.train.report`")
    return True


def _is_positional(argument: cst.Arg) -> bool:
    return argument.keyword is None and not argument.star


def _as_dictionary(program: Program, call: cst.Call) -> Iterator[Edit]:
    """The edits that make a dictionary of a call's keywords."""
    first, last = program.span(call.args[0])[0], program.outer_span(call.args[-1].value)[1]
    yield Edit(first, first, "{")
    for argument in call.args:
        if argument.keyword is not None:
            yield Edit(*program.span(argument.keyword), f'"{argument.keyword.value}"')
            equals = program.source.buffer.index(b"=", program.span(argument.keyword)[1])
            yield Edit(equals, program.outer_span(argument.value)[0], ": ")
    yield Edit(last, last, "}")


def _of_the_run(rewrite: Rewrite, node: cst.Name | cst.Attribute, name: str, context: str, named: str) -> _Found:
    """What the run has in place of what a getter gave of its trial; raises `Refusal` where that isn't the same."""
    program = rewrite.program
    classes = legacy.TRAINERS.keys() | legacy.TORCH_TRAINERS
    trainers = [call for call in program.calls if program.qualified_name(call.func) in classes]
    is_trial = any(program.qualified_name(call.func) in legacy.TUNERS | legacy.TUNE_RUNS for call in program.calls)
    call = program.parent(node)
    if name == _TRIAL_NAME and not is_trial:
        rewrite.review("MT409", node, f"{named} is `get_experiment_name` now")
        return node, f"{context}.get_experiment_name"
    is_called = isinstance(call, cst.Call) and call.func is node and not call.args
    if name == _TRIAL_FOLDER and is_called and not is_trial and trainers:
        if all(_stores_locally(rewrite, keyword_argument(one, "run_config")) for one in trainers):
            rewrite.review("MT409", node, f"{named} is the folder of the run now, `result.path`")
            assert call is not None
            return call, f"{context}.get_storage().experiment_fs_path"
        named += ", for runs in a bucket or where it can't be seen"
    if name == _TRIAL_ID and is_called and trainers and all(reach_of(program, one).tuners for one in trainers):
        assert call is not None
        return call, _id_in_name(program, context)
    raise Refusal("MT405", node, f"{named}{_ADVICE[name]}")


def _id_in_name(program: Program, context: str) -> str:
    """How a worker of a tuned trainer reads its trial's id, which its driver function puts into the run's name."""
    told = f'{context}.get_experiment_name().partition("=")[2]'
    return f'{told}.partition("-")[0]' if starts_trials_again(program) else told


def _stores_locally(rewrite: Rewrite, run_config: cst.Arg | None) -> bool:
    """Whether a run is surely stored in a folder of the file system."""
    if run_config is None or is_none(run_config.value):
        return True
    arguments = arguments_behind(rewrite, run_config.value, "RunConfig")
    return arguments is not None and is_stored_locally(rewrite.program, arguments)


def trial_getters(program: Program) -> Iterator[tuple[cst.Attribute, cst.Name | cst.Attribute]]:
    """`get_context().get_trial_name`, also of a variable that holds the context, with what names that function."""
    for attribute in program.attributes:
        if attribute.attr.value not in legacy.SESSION_TRIAL_GETTERS:
            continue
        made = attribute.value
        if isinstance(made, cst.Name):
            bindings = program.bindings(made)
            values = [one.value for one in bindings if one.kind is BindingKind.ASSIGNMENT and one.value is not None]
            made = values[0] if len(values) == len(bindings) == 1 else made
        if isinstance(made, cst.Call) and program.qualified_name(made.func) == legacy.CONTEXT:
            assert isinstance(made.func, cst.Name | cst.Attribute)
            yield attribute, made.func


def _check_in_worker(program: Program, node: cst.CSTNode) -> None:
    """Raise `Refusal` where the driver asks, which got a default of earlier releases."""
    function = program.enclosing(node, (cst.FunctionDef, cst.Lambda))
    if function is None:
        raise Refusal("MT405", node, "it is called outside of a worker, where it only warned")
    if not isinstance(function, cst.FunctionDef):
        return
    for call in program.calls:
        if program.enclosing(call, (cst.FunctionDef, cst.Lambda)) is None and any(
            binding.node is function for binding in program.named(call.func)
        ):
            raise Refusal("MT405", call, f"`{function.name.value}` is called outside of a worker, where it only warned")
