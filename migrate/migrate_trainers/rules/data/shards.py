"""The shards that a user's own train function reads: current Ray takes fewer arguments, and raises for missing ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import is_none, string

if TYPE_CHECKING:
    from collections.abc import Iterable

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.data.given import RayData
    from migrate_trainers.rules.rewrite import Rewrite

_BATCHES = ("iter_torch_batches", "iter_batches")


def migrate_shards(rewrite: Rewrite, given: Iterable[RayData | None]) -> None:
    """Make the file's code read its shards as current Ray has them; raises `Refusal` for what it has not.

    `given` is what its trainers were given.
    """
    names = _names(given)
    program = rewrite.program
    for call in program.calls:
        if program.qualified_name(call.func) in legacy.SHARD_GETTERS:
            _check_name(call, names)
        elif isinstance(call.func, cst.Attribute) and _is_shard(program, call.func.value):
            _migrate_reading(rewrite, call, call.func.attr.value)


def _names(given: Iterable[RayData | None]) -> frozenset[str] | None:
    """The names of all datasets there may be, None where that can't be seen."""
    names: frozenset[str] = frozenset()
    for data in given:
        if data is not None and data.keys.possible is None:
            return None
        names |= data.keys.possible or frozenset() if data is not None else frozenset()
    return names


def _check_name(call: cst.Call, names: frozenset[str] | None) -> None:
    """Refuse a shard that no trainer here has: legacy Ray gave None for it."""
    if len(call.args) != 1 or call.args[0].star:
        return
    name = string(call.args[0].value)
    if names is not None and name is not None and name not in names:
        raise Refusal("MT204", call, f"no trainer here is given a dataset `{name}`, for which current Ray raises")


def _is_shard(program: Program, value: cst.BaseExpression) -> bool:
    if isinstance(value, cst.Name):
        bindings = program.bindings(value)
        values = [one.value for one in bindings if one.kind is BindingKind.ASSIGNMENT and one.value is not None]
        return bool(values) and all(_is_shard(program, one) for one in values)
    return isinstance(value, cst.Call) and program.qualified_name(value.func) in legacy.SHARD_GETTERS


def _migrate_reading(rewrite: Rewrite, call: cst.Call, method: str) -> None:
    """Take out of a call what current Ray doesn't take, or takes in another sense."""
    if method in legacy.REMOVED_SHARD_METHODS:
        raise Refusal("MT204", call, f"`{method}` is gone: each loop over its batches is an epoch")
    if method not in _BATCHES:
        return
    for argument in call.args:
        name = argument.keyword.value if argument.keyword is not None else ""
        if name in legacy.DROPPED_ITER_TORCH_BATCHES_ARGUMENTS:
            analysis = ValueAnalysis(rewrite.program, rewrite.program.statement(call))
            if any(not analysis.only_reads(part) for part in analysis.immovable_parts(argument.value)):
                raise Refusal("MT204", argument, f"`{name}` is gone, but what it calls may have an effect")
            rewrite.arguments_of(call).remove(argument)
            rewrite.review("MT123", argument, f"`{name}=...`")
        elif name == "device" and is_none(argument.value):
            # None meant the worker's own device, as not giving it does now.
            rewrite.arguments_of(call).remove(argument)
