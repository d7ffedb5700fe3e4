"""Ray Data for Lightning: how a train function reads the batches that LightningTrainer fed from its `datasets`.

    LightningTrainer(                              def train_func():
        config,                                        train_batches = ray.train.get_dataset_shard("train")
        datasets={"train": ds},                            .iter_torch_batches(batch_size=8)
        datasets_iter_config={"batch_size": 8},        ...
    )                                                  trainer.fit(model, train_dataloaders=train_batches)

It read the shards called `train` and `val`, both with the same arguments, in place of the configuration's datamodule.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.data.given import TRAIN, refuse_effects_before
from migrate_trainers.rules.lightning.data import VALIDATION
from migrate_trainers.rules.literals import entries_of, inlined, is_none
from migrate_trainers.writing.comments import MovedComments
from migrate_trainers.writing.render import Argument, call, free_name, names_in, relocated, sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.lightning.sites import LightningSite
    from migrate_trainers.rules.rewrite import Rewrite

# What `Trainer.fit` was given beside the datamodule that LightningTrainer made of the datasets made it raise.
_REFUSED_BESIDE = ("train_dataloaders", "val_dataloaders")
# What LightningTrainer replaced by that datamodule.
REPLACED_BY_DATASETS = ("datamodule",)


class Batches:
    """The lines of a train function that read the shards, for the trainers that run it.

    `place` is the statement before which the function goes. What can't be evaluated in a worker is passed through
    `train_loop_config`: `settle` says so to the function's writer.
    """

    def __init__(self, rewrite: Rewrite, sites: list[LightningSite], place: Statement) -> None:
        self._rewrite = rewrite
        self._program = rewrite.program
        self._place = place
        self._data = [site.data for site in sites if site.data is not None]
        first = self._data[0]
        self._first = first
        if len(self._data) != len(sites):
            raise Refusal("MT107", first.arguments["datasets"], "the configuration is shared with a trainer without")
        if first.keys.has(TRAIN) is None and first.keys.possible is not None:
            raise Refusal("MT107", first.arguments["datasets"], "whether `train` is among them depends on a condition")
        self._has_validation = first.keys.has(VALIDATION)
        self._keywords: dict[str, cst.BaseExpression] | None = None
        self._written: dict[str, str] = {}
        self._unpacked: str | None = None
        self._condition: str | None = None
        self._names = {TRAIN: "", VALIDATION: ""}
        self._read_iter_config()
        self._check_shared()

    @property
    def names(self) -> set[str]:
        """Names that mean something to the arguments of `iter_torch_batches`."""
        values = self._keywords.values() if self._keywords is not None else [self._iter_config.value]
        return {name for value in values for name in names_in(value)}

    @property
    def _iter_config(self) -> cst.Arg:
        return self._first.arguments["datasets_iter_config"]

    def _read_iter_config(self) -> None:
        """The arguments of `iter_torch_batches` where they can be read; raises `Refusal` for those that it refused."""
        value = self._iter_config.value
        if isinstance(value, cst.Name):
            self._keywords = self._inlined_entries(value)
        else:
            self._keywords = entries_of(self._program, value)
        if self._keywords is None:
            return
        for name in [name for name in self._keywords if name not in legacy.ITER_TORCH_BATCHES_ARGUMENTS]:
            if name not in legacy.DROPPED_ITER_TORCH_BATCHES_ARGUMENTS:
                raise Refusal("MT106", self._iter_config, f"`iter_torch_batches` has no argument `{name}`")
            self._check_dropped(name, self._keywords.pop(name))
        if is_none(self._keywords.get("device")):
            # None meant the worker's own device, as not giving it does now.
            del self._keywords["device"]
        given = {name for name, value in self._keywords.items() if not is_none(value)}
        if "collate_fn" in given and {"dtypes", "device"} & given:
            raise Refusal("MT106", self._iter_config, "`collate_fn` can't be given together with `dtypes` or `device`")

    def _inlined_entries(self, variable: cst.Name) -> dict[str, cst.BaseExpression] | None:
        """The entries of a dictionary in a variable, if they may as well be written where its only use is."""
        bindings = self._program.bindings(variable)
        entries = entries_of(self._program, bindings[0].value) if len(bindings) == 1 and bindings[0].value else None
        if entries is None:
            return None
        statement = self._program.statement(bindings[0].node)
        analysis = ValueAnalysis(self._program, statement)
        is_shown = all(
            analysis.is_movable(value) and is_visible(self._program, value, self._place) for value in entries.values()
        )
        if is_shown and len(self._data) == 1 and inlined(self._rewrite, variable) is not variable:
            return entries
        for name in legacy.DROPPED_ITER_TORCH_BATCHES_ARGUMENTS & set(entries):
            raise Refusal("MT107", entries[name], f"`iter_torch_batches` has no `{name}` any more")
        return None

    def _check_dropped(self, name: str, value: cst.BaseExpression) -> None:
        analysis = ValueAnalysis(self._program, self._first.call_site.statement)
        if any(not analysis.only_reads(part) for part in analysis.immovable_parts(value)):
            raise Refusal("MT102", value, f"`{name}` is gone, but what it calls may have an effect")
        self._rewrite.review("MT123", value, f"`{name}=...`")

    def _check_shared(self) -> None:
        """Trainers that share a train function must be given the same arguments, which it can hold."""
        for other in self._data[1:]:
            if other.keys != self._first.keys:
                raise Refusal("MT107", other.arguments["datasets"], "a trainer of the same configuration has others")
            argument = other.arguments["datasets_iter_config"]
            if self._program.text(argument.value) != self._program.text(self._iter_config.value):
                raise Refusal("MT107", argument, "a trainer of the same configuration has another one")

    def check_fit_arguments(self, names: Collection[str], *, unpacks: bool) -> None:
        """Refuse arguments of `fit` that don't go with the datamodule which LightningTrainer made of the datasets."""
        datasets = self._first.arguments["datasets"]
        if self._first.keys.has(TRAIN) is None and (unpacks or {*_REFUSED_BESIDE, *REPLACED_BY_DATASETS} & set(names)):
            raise Refusal("MT107", datasets, "whether `train` is among them, and `fit` uses them, can't be seen")
        for name in _REFUSED_BESIDE:
            if name in names:
                raise Refusal("MT106", datasets, f"Lightning takes no `{name}` beside `datasets`")

    # Writing

    def settle(self, add_config: Callable[[str, str], str]) -> None:
        """Decide what the function holds itself; `add_config` passes the rest, and says how the function reads it."""
        datasets = self._datasets_text() if self._has_validation is None else ""
        if self._keywords is None:
            value = self._iter_config.value
            self._unpacked = self._in_function(value) or self._passed("datasets_iter_config", value, add_config)
        for name, value in (self._keywords or {}).items():
            self._written[name] = self._in_function(value) or self._passed(name, value, add_config)
        if datasets:
            self._condition = add_config("has_val", f'"{VALIDATION}" in {datasets}')

    def _in_function(self, value: cst.BaseExpression) -> str | None:
        """A value's text in the train function, None if it can't be evaluated there."""
        analyses = [ValueAnalysis(self._program, data.call_site.statement) for data in self._data]
        is_movable = all(analysis.is_movable(value) for analysis in analyses)
        if not is_movable or not is_visible(self._program, value, self._place):
            return None
        unit = self._program.module.default_indent
        return relocated(self._program, value, self._program.indent(self._place) + unit * 2)

    def _passed(self, key: str, value: cst.BaseExpression, add_config: Callable[[str, str], str]) -> str:
        if len(self._data) > 1:
            raise Refusal("MT102", value, "several trainers share the configuration, and it changes between them")
        if self._has_effect(value):
            if self._has_effect(self._first.datasets) and self._program.span(self._first.datasets) < (
                self._program.span(value)
            ):
                self._name_datasets()
            refuse_effects_before(self._rewrite, self._first, value)
            self._refuse_effects_behind(value)
        return add_config(key, relocated(self._program, value, ""))

    def _refuse_effects_behind(self, value: cst.BaseExpression) -> None:
        """Raise `Refusal` where calls stand between a value and the configuration, whose place it is moved to."""
        program, data = self._program, self._first
        if "lightning_config" not in data.arguments:
            return
        start, end = program.span(value)[1], program.span(data.arguments["lightning_config"])[0]
        analysis = ValueAnalysis(program, data.call_site.statement)
        for other in program.calls:
            is_between = start <= program.span(other)[0] < end and program.contains(data.call_site.call, other)
            is_config = program.qualified_name(other.func) in legacy.CONFIG_CLASSES
            if is_between and not is_config and not analysis.is_movable(other):
                raise Refusal(data.codes.moved, value, "it is called before others behind which it has to move")

    def _has_effect(self, value: cst.BaseExpression) -> bool:
        analysis = ValueAnalysis(self._program, self._first.call_site.statement)
        return any(not analysis.only_reads(part) for part in analysis.immovable_parts(value))

    def _datasets_text(self) -> str:
        """The datasets' expression, where the trainer's call may evaluate it once more."""
        value = self._first.datasets
        if len(self._data) > 1:
            raise Refusal("MT107", self._first.arguments["datasets"], "whether `val` is among them can't be seen")
        if isinstance(value, cst.Name | cst.Attribute) and not self._has_effect(value):
            return self._program.outer_text(value)
        return self._name_datasets()

    def _name_datasets(self) -> str:
        """Have the datasets in a variable before the trainer's statement."""
        if self._first.variable is None:
            refuse_effects_before(self._rewrite, self._first, self._first.datasets)
            self._first.variable = self._rewrite.new_name("datasets")
        return self._first.variable

    def lines(self, body: str, used: Iterable[str]) -> list[str]:
        """The statements that read the shards, behind an indentation."""
        unit = self._program.module.default_indent
        used = {*used, *self.names}
        names = [TRAIN] if self._has_validation is False else [TRAIN, VALIDATION]
        for name in names:
            self._names[name] = _free_pair(used, name)
        leading, comments = self._moved_comments()
        arguments = [
            Argument(self._written[name], name, comments=comments.before(value), trailing=comments.behind(value))
            for name, value in (self._keywords or {}).items()
        ]
        lines = [f"{body}{comment}" for comment in (*leading, *comments.rest())]
        shared = self._shared_arguments(arguments, body) if len(names) > 1 else None
        if shared is not None:
            variable = free_name(used, "iter_config", "batches_config")
            lines.append(f"{body}{variable} = {shared}")
            arguments = [Argument(variable, star="**")]
        elif self._unpacked is not None:
            arguments = [Argument(self._unpacked, star="**")]
        for name in names:
            indent = body
            if name == VALIDATION and self._condition is not None:
                lines += [f"{body}{self._names[name]} = None", f"{body}if {self._condition}:"]
                indent += unit
            lines += self._reading(name, arguments, indent)
        return lines

    def _moved_comments(self) -> tuple[list[str], MovedComments]:
        """The comments around and inside `datasets_iter_config`, which leaves the call of the only trainer."""
        around: list[tuple[int, int]] = []
        inside: list[tuple[int, int]] = []
        if len(self._data) == 1:
            start, end = self._program.span(self._iter_config)
            low, high = self._rewrite.arguments_of(self._first.call_site.call).take(self._iter_config)
            around, inside = [(low, start), (end, high)], [(start, end)]
        values = self._keywords.values() if self._keywords is not None else [self._iter_config.value]
        return MovedComments(self._program, around, []).rest(), MovedComments(self._program, inside, values)

    def _shared_arguments(self, arguments: list[Argument], body: str) -> str | None:
        """What both shards are read with, as a dictionary; None where it is as well to write it twice.

        That is so for a variable, and for short arguments that make no object.
        """
        if self._unpacked is not None:
            return None if self._unpacked.isidentifier() else self._unpacked
        makes_objects = any(
            isinstance(value, cst.Call | cst.Dict | cst.List) for value in (self._keywords or {}).values()
        )
        if not makes_objects and "\n" not in self._call(f"{TRAIN}_shard", arguments, body, TRAIN):
            return None
        items = [replace(one, value=f'"{one.name}": {one.value}', name=None) for one in arguments]
        return sequence("{", items, "}", body, self._program.module.default_indent, before="iter_config = ")

    def _reading(self, name: str, arguments: list[Argument], indent: str) -> list[str]:
        """The statements that read one shard."""
        shard = self._names[name].replace("_batches", "_shard")
        found = f'{self._rewrite.function_named("ray.train.get_dataset_shard")}("{name}")'
        return [f"{indent}{shard} = {found}", f"{indent}{self._call(shard, arguments, indent, name)}"]

    def _call(self, shard: str, arguments: list[Argument], indent: str, name: str) -> str:
        unit = self._program.module.default_indent
        head = f"{self._names[name]} = "
        return head + call(f"{shard}.iter_torch_batches", arguments, indent, unit, before=head)

    @property
    def fit_arguments(self) -> list[Argument]:
        """The arguments of `trainer.fit` that hand over what `lines` bound."""
        names = {"train_dataloaders": self._names[TRAIN], "val_dataloaders": self._names[VALIDATION]}
        return [Argument(text, name) for name, text in names.items() if text]

    def over(self, mapping: str) -> Argument:
        """The same over a dictionary of further arguments, which may hold the datamodule that they replace."""
        items = [f'"{argument.name}": {argument.value}' for argument in self.fit_arguments]
        replaced = [f'"{name}": None' for name in REPLACED_BY_DATASETS]
        return Argument(f"{{**{mapping}, {', '.join([*replaced, *items])}}}", star="**")


def _free_pair(used: Collection[str], name: str) -> str:
    """A name for a shard's batches which, like that of the shard itself, isn't used."""
    taken = {one.replace("_shard", "_batches") for one in used} | {*used}
    return free_name(taken, f"{name}_batches")


def read_batches(rewrite: Rewrite, sites: list[LightningSite], place: Statement) -> Batches | None:
    """What a train function has to read of its trainers' datasets: nothing where there is no `train` among them."""
    if all(site.data is None or site.data.keys.has(TRAIN) is False for site in sites):
        return None
    return Batches(rewrite, sites, place)


def is_visible(program: Program, value: cst.CSTNode, place: Statement) -> bool:
    """Whether every name of an expression means the same to code at a place."""
    scope = program.scope(program.block(place))
    return all(scope.lookup(name.value) == program.bindings(name) for name in _names(program, value))


def _names(program: Program, node: cst.CSTNode) -> list[cst.Name]:
    """The variables that an expression reads from outside itself."""
    return [
        name
        for name in program.names
        if program.contains(node, name)
        and not any(program.contains(node, binding.scope.node) for binding in program.bindings(name))
    ]
