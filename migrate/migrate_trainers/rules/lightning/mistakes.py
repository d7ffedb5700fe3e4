"""Arguments that LightningTrainer or Lightning refuses: migrated, they would only fail later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.lightning_arguments import (
    REMOVED_IN_LIGHTNING_2,
    RENAMED_IN_LIGHTNING_2,
    STRATEGY_ARGUMENTS,
    TRAINER_ARGUMENTS,
)
from migrate_trainers.reading.values import lightning_name
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.builder import keyword, positional_name
from migrate_trainers.rules.lightning.sites import IGNORED, stays_on_cpu
from migrate_trainers.rules.literals import string

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.lightning.builder import MethodCall
    from migrate_trainers.rules.lightning.sites import LightningSite
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.settings import Settings

_GPU_ACCELERATORS = ("gpu", "cuda")
_LITERALS = (cst.BaseNumber, cst.BaseString, cst.Dict, cst.Set)
# Classes that are surely no LightningModule, and those of Lightning's own that are none.
_OTHER_CLASSES = frozenset({"torch.nn.Module", "torch.nn.modules.module.Module", "object"})
_OTHER_LIGHTNING_CLASSES = ("LightningDataModule", "Callback")


def check_arguments(
    rewrite: Rewrite,
    sites: Sequence[LightningSite],
    calls: Sequence[MethodCall],
    other_strategies: Iterable[str | None] = (),
) -> None:
    """Raise `Refusal` for the first argument of a builder's calls that could not have worked; say which are renamed.

    `other_strategies` are the strategies that the calls don't name, None for one that isn't known.
    """
    program = rewrite.program
    strategies = {_strategy_name(call) for call in calls if call.method in ("strategy", "ddp_strategy")}
    strategies |= set(other_strategies)
    for call in calls:
        for name, argument in _keywords(call):
            if call.method == "module" and name == "cls":
                _check_module_class(program, argument)
            elif call.method == "trainer":
                _check_trainer_argument(rewrite, name, argument)
            elif call.method in ("strategy", "ddp_strategy") and name != "name":
                _check_strategy_argument(name, argument, strategies)
    _check_accelerator(rewrite, sites, calls)


def check_setting(rewrite: Rewrite, name: str, node: cst.CSTNode) -> None:
    """The same for an argument of `pl.Trainer` that is set in the built configuration."""
    if not _is_known(name):
        raise Refusal("MT106", node, f"`pl.Trainer` has no argument `{name}`")
    if _has_lightning_2(rewrite.settings) and name in REMOVED_IN_LIGHTNING_2:
        raise Refusal("MT128", node, f"`{name}`; write {REMOVED_IN_LIGHTNING_2[name]}")
    if current_name(name, rewrite.settings) != name:
        raise Refusal("MT128", node, f"`{name}`; write `{current_name(name, rewrite.settings)}`")


def _is_known(name: str) -> bool:
    known = TRAINER_ARGUMENTS | RENAMED_IN_LIGHTNING_2.keys() | REMOVED_IN_LIGHTNING_2.keys()
    return name in known or name in IGNORED


def current_name(name: str, settings: Settings) -> str:
    """How the target's Lightning calls an argument of `pl.Trainer`."""
    return RENAMED_IN_LIGHTNING_2.get(name, name) if _has_lightning_2(settings) else name


def _has_lightning_2(settings: Settings) -> bool:
    return settings.target >= legacy.FIRST_WITH_LIGHTNING_2


def _keywords(call: MethodCall) -> Iterator[tuple[str, cst.Arg]]:
    for index, argument in enumerate(call.call.args):
        name = keyword(argument) or positional_name(call, index)
        if name is not None and not argument.star:
            yield name, argument


def _check_trainer_argument(rewrite: Rewrite, name: str, argument: cst.Arg) -> None:
    if name in REMOVED_IN_LIGHTNING_2 and _has_lightning_2(rewrite.settings):
        raise Refusal("MT128", argument, f"`{name}`; write {REMOVED_IN_LIGHTNING_2[name]}")
    if not _is_known(name):
        raise Refusal("MT106", argument, f"`pl.Trainer` has no argument `{name}`")
    if name == "callbacks" and _is_no_list(rewrite.program, argument.value, cst.Tuple):
        raise Refusal("MT106", argument, "LightningTrainer took `callbacks` as a list only")
    if name == "plugins" and _is_no_list(rewrite.program, argument.value):
        raise Refusal("MT106", argument, "LightningTrainer took `plugins` as a list only")
    new = current_name(name, rewrite.settings)
    if new != name:
        rewrite.review("MT127", argument, f"`{name}` is `{new}` now")


def _is_no_list(program: Program, value: cst.BaseExpression, *more: type[cst.CSTNode]) -> bool:
    """Whether a value is surely not a list: a literal of another kind, or one of Lightning's or the file's objects."""
    if isinstance(value, (*_LITERALS, *more)):
        return True
    if isinstance(value, cst.Name) and value.value in ("None", "True", "False"):
        return True
    if not isinstance(value, cst.Call):
        return False
    name = lightning_name(program.qualified_name(value.func)) or ""
    return name.startswith(("callbacks.", "plugins.")) or _class_of(program, value.func) is not None


def _check_strategy_argument(name: str, argument: cst.Arg, strategies: set[str | None]) -> None:
    """Refuse a keyword that none of the strategies takes which the builder may end with."""
    if any(strategy is None or name in STRATEGY_ARGUMENTS.get(strategy, {name}) for strategy in strategies):
        return
    named = " and ".join(f'"{strategy}"' for strategy in sorted(filter(None, strategies)))
    raise Refusal("MT106", argument, f"the strategy {named} takes no `{name}`")


def _strategy_name(call: MethodCall) -> str | None:
    """The name that a call gives the strategy, None where only the running script knows."""
    if any(argument.star for argument in call.call.args):
        return None
    given = dict(_keywords(call)).get("name")
    return "ddp" if given is None or call.method == "ddp_strategy" else string(given.value)


def _check_module_class(program: Program, argument: cst.Arg) -> None:
    value = argument.value
    if isinstance(value, (*_LITERALS, cst.Lambda)):
        raise Refusal("MT106", argument, "`.module(...)` takes a class")
    made = _class_of(program, value.func) if isinstance(value, cst.Call) else None
    if made is not None:
        raise Refusal("MT106", argument, f"`.module(...)` takes the class `{made.name.value}`, and not an object of it")
    definition = _class_of(program, value)
    if definition is not None and _is_no_module(program, definition):
        raise Refusal("MT106", argument, f"`{definition.name.value}` is no LightningModule")


def _class_of(program: Program, node: cst.BaseExpression) -> cst.ClassDef | None:
    """The class of this file that a name surely means."""
    bindings = program.bindings(node) if isinstance(node, cst.Name) else ()
    only = bindings[0].node if len(bindings) == 1 else None
    return only if isinstance(only, cst.ClassDef) else None


def _is_no_module(program: Program, definition: cst.ClassDef) -> bool:
    for base in definition.bases:
        name = program.qualified_name(base.value) or program.text(base.value)
        own = (lightning_name(name) or "").rpartition(".")[2]
        if base.star or (name not in _OTHER_CLASSES and own not in _OTHER_LIGHTNING_CLASSES):
            return False
    return not definition.decorators


def _check_accelerator(rewrite: Rewrite, sites: Sequence[LightningSite], calls: Sequence[MethodCall]) -> None:
    """Refuse a GPU that the workers surely don't have, where the script asks for one in any case."""
    program = rewrite.program
    blocks = [program.block(site.call_site.statement) for site in sites]
    for call in calls:
        accelerator = dict(_keywords(call)).get("accelerator") if call.method == "trainer" else None
        asks = accelerator is not None and string(accelerator.value) in _GPU_ACCELERATORS
        if asks and program.block(call.statement) in blocks and stays_on_cpu(rewrite, sites):
            assert accelerator is not None
            detail = "the accelerator is a GPU, and the workers have none without `ScalingConfig(use_gpu=True)`"
            raise Refusal("MT106", accelerator, detail)
