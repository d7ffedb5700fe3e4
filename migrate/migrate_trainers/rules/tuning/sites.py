"""Which legacy trainers a script gives to a `Tuner` or `tune.run`, and the search spaces that it gives with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.tuning.reach import assigned_variable, reach_of, trainable_made_of, uses_of
from migrate_trainers.rules.tuning.schedulers import check_schedulers
from migrate_trainers.rules.tuning.spaces import entries_of
from migrate_trainers.writing.arguments import bound_arguments

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.rewrite import CallSite
    from migrate_trainers.rules.tuning.spaces import Entry


@dataclass(frozen=True)
class _Form:
    """How a call that runs trials names what it `runs` and its search `space`; what is `refused` is told by a code."""

    name: str
    arguments: Collection[str]
    runs: str
    space: str
    refused: str


_TUNER = _Form("Tuner", legacy.TUNER_ARGUMENTS, runs="trainable", space="param_space", refused="MT501")
_TUNE_RUN = _Form("tune.run", legacy.TUNE_RUN_ARGUMENTS, runs="run_or_experiment", space="config", refused="MT506")


@dataclass(frozen=True, eq=False)
class TunerCall:
    """One construction of a Tuner with its arguments by name and the entries of its `param_space`.

    `is_run` says that it is a call of `tune.run`, whose `config` is that.
    """

    call: cst.Call
    arguments: dict[str, cst.Arg]
    statement: Statement
    space: dict[str, Entry]
    is_run: bool = False


@dataclass(frozen=True, eq=False)
class TunedTrainer:
    """A legacy trainer that only Tuners are given.

    `uses` are the expressions that hand it on: those that read its variable, or else the call that makes it. `given_to`
    are all calls that it gets to, also of `Tuner.restore`; `made_trainable` are those of its `as_trainable()`.
    """

    site: CallSite
    variable: Binding | None
    tuners: tuple[TunerCall, ...]
    uses: tuple[cst.BaseExpression, ...]
    given_to: tuple[cst.Call, ...]
    made_trainable: tuple[cst.Call, ...]


def tuned_trainers(program: Program, sites: Sequence[CallSite]) -> dict[CallSite, TunedTrainer]:
    """The call sites whose trainer is tuned; raises `Refusal` for a Tuner that can't be followed to what it runs."""
    tuned: dict[CallSite, TunedTrainer] = {}
    explained: set[cst.Call] = set()
    for site in sites:
        found = _tuned(program, site)
        if found is None:
            _check_other_files(program, site)
            continue
        tuned[site] = found
        shared = [call for call in found.given_to if call in explained]
        if shared:
            raise Refusal("MT501", shared[0], "it is given several trainers")
        explained |= set(found.given_to)
    for call in program.calls:
        if call not in explained and _runs_trials(program, call) and not _tunes_something_else(program, call):
            is_trainable = any(attribute.attr.value == "as_trainable" for attribute in program.attributes)
            detail = "" if is_trainable else f"what `{program.text(call.func)}` runs may be a legacy trainer"
            raise Refusal("MT506" if is_trainable else "MT501", call, detail)
    return tuned


def _tuned(program: Program, site: CallSite) -> TunedTrainer | None:
    reach = reach_of(program, site.call)
    if not reach.tuners:
        return None
    for call in reach.tuners:
        if program.file_of(call) is not program.file_of(site.call):
            # The driver function would need both files.
            raise Refusal("MT501", site.call.func, f"`{program.text(call.func)}` of a file that imports it is given it")
    if reach.others:
        other = reach.others[0]
        code = "MT506" if other in reach.trainables else "MT501"
        raise Refusal(code, other, f"`{program.text(other)}` is used for more than being tuned")
    check_schedulers(program)
    restores = [call for call in reach.tuners if program.qualified_name(call.func) in legacy.TUNER_RESTORES]
    _check_restores(program, restores)
    tuners = [_read_tuner(program, call) for call in reach.tuners if call not in restores]
    if not tuners:
        raise Refusal("MT501", reach.tuners[0], "the trainer is only given to a Tuner that is restored")
    if len({tuner.is_run for tuner in tuners}) > 1:
        raise Refusal("MT506", tuners[0].call, "the trainer is given to a Tuner as well")
    variable = assigned_variable(program, site.call)
    uses = uses_of(program, variable) if variable is not None else [site.call]
    made = (trainable_made_of(program, one) for one in reach.made_trainable)
    made_trainable = tuple(one for one in made if one is not None)
    return TunedTrainer(site, variable, tuple(tuners), tuple(uses), tuple(reach.tuners), made_trainable)


def _check_restores(program: Program, restores: Sequence[cst.Call]) -> None:
    """Raise `Refusal` where a Tuner is restored in a way that its driver function can't be."""
    for call in restores:
        for argument in call.args:
            name = argument.keyword.value if argument.keyword is not None else ""
            if argument.star:
                raise Refusal("MT104", call, "the arguments of `Tuner.restore`")
            is_no = isinstance(argument.value, cst.Name) and argument.value.value in ("False", "None")
            if name == "param_space" and not is_no and not isinstance(argument.value, cst.Name):
                raise Refusal("MT501", argument, "the search space is written out once more")


def _check_other_files(program: Program, site: CallSite) -> None:
    """Raise `Refusal` for a trainer that a Tuner of another file may be given."""
    own, top = program.file_of(site.call), program.top_level_statement(site.statement)
    bound = [binding for bindings in own.module_scope.bindings.values() for binding in bindings]
    for name in sorted({binding.name for binding in bound if program.contains(top, binding.node)}):
        for user in own.users(name, "tune"):
            for call in user.calls:
                if _runs_trials(user, call) and not _tunes_something_else(user, call):
                    detail = f"`{user.text(call.func)}` of a file that imports `{name}` may be given it"
                    raise Refusal("MT501", site.call.func, detail)


def _runs_trials(program: Program, call: cst.Call) -> bool:
    return program.qualified_name(call.func) in legacy.TUNERS | legacy.TUNER_RESTORES | legacy.TUNE_RUNS


def _tunes_something_else(program: Program, call: cst.Call) -> bool:
    """Whether a Tuner surely runs something other than a trainer: a function or class of the file, or a named one."""
    qualified = program.qualified_name(call.func)
    first = {**dict.fromkeys(legacy.TUNERS, _TUNER.runs), **dict.fromkeys(legacy.TUNE_RUN, _TUNE_RUN.runs)}
    name = first.get(qualified or "", "")
    bound = bound_arguments(call, (name,)) if name else None
    argument = bound.get(name) if bound else None
    value = argument.value if argument is not None else None
    while isinstance(value, cst.Call) and program.qualified_name(value.func) in legacy.TUNE_WRAPPERS and value.args:
        value = value.args[0].value
    if isinstance(value, cst.SimpleString | cst.Lambda):
        return True
    if isinstance(value, cst.Name):
        bindings = program.bindings(value)
        return bool(bindings) and all(binding.kind in (BindingKind.FUNCTION, BindingKind.CLASS) for binding in bindings)
    return False


def _read_tuner(program: Program, call: cst.Call) -> TunerCall:
    is_run = program.qualified_name(call.func) in legacy.TUNE_RUN
    form = _TUNE_RUN if is_run else _TUNER
    arguments = bound_arguments(call, (form.runs,))
    if arguments is None:
        raise Refusal("MT104", call, f"the arguments of `{form.name}`")
    reserved = arguments.get("resources_per_trial")
    if reserved is not None and is_run:
        detail = "`resources_per_trial` beside a trainer, whose `ScalingConfig` says what it needs: remove it"
        raise Refusal("MT106", reserved, detail)
    unknown = [name for name in arguments if name not in form.arguments]
    if unknown:
        raise Refusal(form.refused, arguments[unknown[0]], f"`{form.name}({unknown[0]}=...)`")
    space = arguments.get(form.space)
    entries = dict(entries_of(program, space.value)) if space is not None else {}
    return TunerCall(call, arguments, program.statement(call), entries, is_run)
