"""A tuned LightningTrainer: its own builder and the one in the search space, deep-merged as Ray did for each trial.

base:  .module(cls=Model, width=8).trainer(max_epochs=3)    def train_func(config):
space: .module(lr=tune.loguniform(1e-4, 1e-1))                  model = Model(width=8, lr=config["lr"])

param_space={"lightning_config": ...}                       param_space={"train_loop_config": {"lr": ...}}
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.builder import LightningConfig, read_config
from migrate_trainers.rules.lightning.checkpoints import filled_in_config, keep_checkpoints
from migrate_trainers.rules.lightning.sites import CONFIG_ARGUMENTS, IGNORED, GivenCheckpoint, LightningSite
from migrate_trainers.rules.lightning.train_function import TrainFunction
from migrate_trainers.rules.trainer_call import (
    function_argument,
    is_absent,
    refuse_datasets,
    refuse_unsupported,
    rename_trainer,
    trainer_arguments,
)
from migrate_trainers.rules.tuning.domains import is_never_a_dictionary, is_surely_a_dictionary, may_hold_domain
from migrate_trainers.rules.tuning.driver import LOOP_CONFIG, START, Driver
from migrate_trainers.rules.tuning.results import configuration_reads
from migrate_trainers.rules.tuning.run_config import TunedRunConfig
from migrate_trainers.rules.tuning.sites import is_population, mutated_entries
from migrate_trainers.writing.placement import definition, leading_comments_start, removal
from migrate_trainers.writing.render import Argument, free_name, sequence

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.lightning.builder import Given
    from migrate_trainers.rules.lightning.checkpoints import FilledIn
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.tuning.sites import Entry, TunedTrainer

_STRATEGY_METHODS = ("strategy", "ddp_strategy")
_CONFIG = "lightning_config"


@dataclass(frozen=True, eq=False)
class _Space:
    """A builder's configuration as an entry of search spaces (or mutations): several may share one variable."""

    config: LightningConfig
    entries: list[Entry]
    is_mutation: bool

    @property
    def variable(self) -> cst.Name | None:
        value = self.entries[0].value
        return value if isinstance(value, cst.Name) else None


def migrate_tuned(rewrite: Rewrite, tuned: TunedTrainer) -> None:
    """Rewrite a LightningTrainer that Tuners are given; raises `Refusal`."""
    TunedTrainFunction(rewrite, tuned).write()


class TunedTrainFunction(TrainFunction):
    """The train function of all trials: what the search space has comes from its `config`, the rest is written out."""

    def __init__(self, rewrite: Rewrite, tuned: TunedTrainer) -> None:
        program = self.program = rewrite.program
        self._tuned = tuned
        site = tuned.site
        arguments = self._given = trainer_arguments(site, CONFIG_ARGUMENTS)
        refuse_datasets(rewrite, site, arguments, "MT107", "datasets", "dataset_config", "datasets_iter_config")
        refuse_unsupported(rewrite, site, arguments)
        if not is_absent(arguments, "resume_from_checkpoint"):
            raise Refusal("MT501", arguments["resume_from_checkpoint"], "`resume_from_checkpoint=...`")
        self._base = LightningConfig(site.statement, [], [])
        if not is_absent(arguments, _CONFIG):
            self._base = read_config(program, arguments[_CONFIG].value, site.statement)
        self._spaces = self._read_spaces(rewrite)
        # What the train function reads from its config, by the builder's method and keyword.
        self._keys: dict[tuple[str, str], str] = {}
        self._static: dict[tuple[str, str], Given] = {}
        self._names: dict[_Space, str] = {}
        merged = self._merge(rewrite)
        self._run_config = TunedRunConfig(
            rewrite, tuned, arguments.get("run_config"), is_for_population=is_population(program)
        )
        given = {**arguments, **self._run_config.argument}
        super().__init__(rewrite, [LightningSite(site, given, None)], merged)
        if is_population(program) and not self._keys:
            raise Refusal("MT501", site.call, "its scheduler changes nothing of its configuration")
        self._check_reads()
        self._starts = rewrite.settings.strict_target and is_population(program)
        if self._starts and START in self._keys.values():
            raise Refusal("MT501", site.call, f"`{START}` is searched, by which a trial is told where it starts")
        self.resumes = self.resumes or is_population(program)

    # Reading

    def _read_spaces(self, rewrite: Rewrite) -> list[_Space]:
        """The builders of the search spaces and of the schedulers' mutations, each read once."""
        program = rewrite.program
        searched: list[tuple[Entry, Statement]] = []
        for tuner in self._tuned.tuners:
            for key, entry in tuner.space.items():
                if key == _CONFIG:
                    searched.append((entry, tuner.statement))
                elif key != "scaling_config" or rewrite.settings.strict_target:
                    raise Refusal("MT501", entry.key, f"`{key}` is searched")
        if len({id(_identity(rewrite, entry)) for entry, _ in searched}) > 1:
            raise Refusal("MT501", self._tuned.site.call, "its Tuners search different configurations")
        mutated = [(entry, program.statement(entry.value)) for entry in mutated_entries(program, _CONFIG)]
        spaces: dict[int, _Space] = {}
        for is_mutation, (entry, statement) in [*((False, one) for one in searched), *((True, one) for one in mutated)]:
            identity = id(_identity(rewrite, entry))
            if identity in spaces:
                spaces[identity].entries.append(entry)
            else:
                spaces[identity] = _Space(read_config(program, entry.value, statement), [entry], is_mutation)
        return list(spaces.values())

    def _merge(self, rewrite: Rewrite) -> LightningConfig:
        """One configuration of all, as nested dictionaries are merged: what comes later replaces."""
        program = self.program
        merged = LightningConfig(self._tuned.site.statement, [], [])
        for config in (self._base, *(space.config for space in self._spaces)):
            self._check_uses(config)
            if config is not self._base:
                self._check_space(config)
            merged.statements += [one for one in config.statements if one not in merged.statements]
            merged.calls += config.calls
            merged.overwritten += config.overwritten
            if config.module_class is not None:
                _check_class(program, config.module_class)
                merged.overwritten += [merged.module_class] if merged.module_class is not None else []
                merged.module_class = config.module_class
            if any(call.method in _STRATEGY_METHODS for call in config.calls):
                merged.strategy_name = config.strategy_name
            for method, group in _groups(config).items():
                for name, given in group.items():
                    self._put(rewrite, merged, method, name, given, is_searched=config is not self._base)
        merged.module_splats, merged.fit_splats = self._base.module_splats, self._base.fit_splats
        merged.strategy_splats = self._base.strategy_splats
        merged.calls.sort(key=lambda call: rewrite.program.span(call.call)[1])
        return merged

    def _check_uses(self, config: LightningConfig) -> None:
        """A configuration that goes with this trainer may be given to no other one."""
        program = self.program
        known: list[cst.CSTNode] = [*config.statements, self._tuned.site.call]
        known += [entry.value for space in self._spaces for entry in space.entries]
        for scope in {program.scope(statement) for statement in config.statements}:
            for binding in [binding for bindings in scope.bindings.values() for binding in bindings]:
                if not any(program.contains(statement, binding.node) for statement in config.statements):
                    continue
                for use in program.uses(binding):
                    if not any(program.contains(node, use) for node in known):
                        raise Refusal("MT501", use, f"`{use.value}` is given to another trainer too")

    def _check_space(self, config: LightningConfig) -> None:
        splats = [*config.module_splats, *config.fit_splats, *config.strategy_splats]
        if splats:
            raise Refusal("MT104", splats[0].argument, "a search space has to be written out")
        for own, searched in (
            (self._base.module_splats, config.module),
            (self._base.fit_splats, config.fit),
            (self._base.strategy_splats, config.strategy),
        ):
            if own and searched:
                raise Refusal("MT104", own[0].argument, "they may hold what the search space replaces")

    def _check_reads(self) -> None:
        """What the script reads of trials' configurations has to be found under the keys of the train function."""
        for read in configuration_reads(self.program):
            if read.method == "module":
                is_found = read.name is not None or all(method == "module" for method, _ in self._keys)
            else:
                is_found = read.name is not None and self._keys.get((read.method or "", read.name)) == read.name
            if not is_found:
                raise Refusal("MT501", read.node, "a trial's configuration holds something else there from now on")

    def _put(
        self, rewrite: Rewrite, merged: LightningConfig, method: str, name: str, given: Given, *, is_searched: bool
    ) -> None:
        """Add one keyword of one builder to the merged configuration."""
        program = rewrite.program
        group = _groups(merged)[method]
        key = (method, name)
        # The shape of the module's keywords stays what it was; of the others, only what a search may replace.
        if not is_searched or (
            method != "module" and key not in self._keys and not may_hold_domain(program, given.value)
        ):
            if name in group:
                merged.overwritten.append(group[name])
            group[name] = given
            return
        earlier = group.get(name)
        if earlier is not None and key not in self._keys:
            if is_never_a_dictionary(program, earlier.value) or is_never_a_dictionary(program, given.value):
                merged.overwritten.append(earlier)
            else:
                self._static[key] = earlier
        if key not in self._keys:
            self._keys[key] = self._key_of(method, name)
        group[name] = given

    def _key_of(self, method: str, name: str) -> str:
        """What the train function's config calls a keyword: the module's keep their names, for what reads them."""
        if method == "module":
            return name
        own = {keyword for space in self._spaces for keyword in space.config.module}
        return free_name(own | set(self._keys.values()), name, f"{method}_{name}")

    # Writing

    def write(self) -> None:
        rewrite = self.rewrite
        self._settle_values()
        start = f'{self.config_name}["{START}"]' if self._starts else None
        lines = self._function_lines(GivenCheckpoint(start, is_own=True) if start else None)
        name = rewrite.new_name("train_func")
        parameter = self.config_name if self._keys or start else ""
        function = "\n".join([f"def {name}({parameter}):", *lines])
        fill_in = partial(filled_in_config, rewrite, self._tuned.site, self._base, self.mover)
        if rewrite.settings.strict_target:
            self._write_driver(name, function, fill_in)
        else:
            self._write_in_place(name, fill_in)
            self._place(function)
        self._write_spaces()

    def _write_in_place(self, name: str, fill_in: Callable[[], FilledIn | None]) -> None:
        """Older Ray tunes the TorchTrainer itself."""
        rewrite, site = self.rewrite, self._tuned.site
        if self._run_config.is_trainers:
            keep_checkpoints(rewrite, site, self._given, fill_in)
        rename_trainer(rewrite, site)
        if _CONFIG in self._given:
            function_argument(rewrite, site, self._given[_CONFIG], name, {})
        else:
            rewrite.arguments_of(site.call).prepend(name)

    def _write_driver(self, name: str, function: str, fill_in: Callable[[], FilledIn | None]) -> None:
        rewrite = self.rewrite
        if self._run_config.is_trainers and self._run_config.takes_filled_in():
            self._run_config.filled_in = fill_in()
        self._run_config.split()
        kept = {
            key: argument
            for key, argument in self._given.items()
            if key not in (*CONFIG_ARGUMENTS, "run_config") and not is_absent(self._given, key)
        }
        driver = Driver(rewrite, self._tuned, kept, self._run_config, has_config=bool(self._keys) or self._starts)
        definitions = [*self.reports.definitions, "\n".join([*self.comments.rest(), function])]
        rewrite.late.append(partial(driver.edits, function=name, definitions=definitions, lines=self._lines()))
        rewrite.review("MT502", self._tuned.site.call.func, "")
        if self._starts:
            rewrite.review("MT504", self._tuned.site.call.func, "")
        self._take_out_statements()

    def _place(self, text: str) -> None:
        definitions = [*self.reports.definitions, "\n".join([*self.comments.rest(), text])]
        self.rewrite.edits += definition(self.program, self.place, definitions, lines=self._lines())
        self._take_out_statements()

    def _lines(self) -> list[str]:
        """Statements that stand before the definitions."""
        lines = self.mover.hoisted.get(self.place, [])
        if not self.reports.needs_callback_class:
            return lines
        environment = f"{self.rewrite.imports.module('os')}.environ"
        comment = "# Not every report has every metric, which LightningTrainer let Tune accept."
        return [*lines, comment, f'{environment}.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")']

    def _take_out_statements(self) -> None:
        """Remove the builders' statements; a built search space becomes a dictionary in its variable's place."""
        program, hoisted = self.program, dict(self.mover.hoisted)
        hoisted.pop(self.place, None)
        spaces = {space.config.place: space for space in self._spaces if space.variable is not None}
        for statement in self.config.statements:
            lines = hoisted.pop(statement, [])
            if statement in spaces:
                self.rewrite.edits.append(self._space_statement(spaces[statement], lines))
            else:
                self.rewrite.edits.append(removal(program, statement, lines))
        for statement, lines in hoisted.items():
            start = program.source.line_start(program.statement_start(statement))
            text = "".join(f"{program.indent(statement)}{line}\n" for line in lines)
            self.rewrite.edits.append(Edit(start, start, text))

    def _space_statement(self, space: _Space, lines: list[str]) -> Edit:
        """The edit that puts a dictionary into the variable that had the built configuration."""
        program, statement = self.program, space.config.place
        name = self._names[space] = self.rewrite.new_name("mutations" if space.is_mutation else "search_space")
        indent = program.indent(statement)
        text = f"{name} = {self._space_text(space, indent, before=f'{name} = ')}"
        return Edit(*program.span(statement), f"\n{indent}".join([*lines, text]))

    def _write_spaces(self) -> None:
        """Name the train function's config in the search spaces, and give what it is searched for."""
        for space in self._spaces:
            for entry in space.entries:
                text = self._names.get(space)
                if text is None:
                    indent = self._line_indent(entry.value)
                    text = self._space_text(space, indent, before=f'"{LOOP_CONFIG}": ')
                self.rewrite.edits.append(Edit(*self.program.outer_span(entry.value), text))
                key = LOOP_CONFIG if isinstance(self.program.parent(entry.key), cst.Arg) else f'"{LOOP_CONFIG}"'
                self.rewrite.edits.append(Edit(*self.program.span(entry.key), key))

    def _space_text(self, space: _Space, indent: str, *, before: str) -> str:
        """A search space as a dictionary with the train function's keys, for a line of some indentation."""
        unit = self.unit
        items = []
        for method, group in _groups(space.config).items():
            for name, given in group.items():
                if (method, name) in self._keys:
                    value = self.mover.on_driver(given.value, indent + unit)
                    comments, behind = self.comments.before(given.argument), self.comments.behind(given.argument)
                    text = f'"{self._keys[method, name]}": {value}'
                    items.append(Argument(text, comments=comments, trailing=behind))
        return sequence("{", items, "}", indent, unit, before=before)

    def _line_indent(self, node: cst.CSTNode) -> str:
        source = self.program.source
        start = self.program.span(node)[0]
        line = source.slice(source.line_start(start), start)
        return line[: len(line) - len(line.lstrip())]

    # Values

    def _trainer_statement(self) -> Statement | None:
        # What only reads may have changed when a trial runs.
        return None

    def _vanishing_regions(self) -> list[tuple[int, int]]:
        program, source = self.program, self.program.source
        regions = [program.span(entry.value) for space in self._spaces for entry in space.entries]
        if _CONFIG in self._given:
            regions.append(program.span(self._given[_CONFIG]))
        kept = [space.config.place for space in self._spaces if space.variable is not None]
        for statement in self.config.statements:
            own = source.line_start(program.span(statement)[0])
            start = own if statement in kept else leading_comments_start(program, statement)
            regions.append((start, source.line_end(program.span(statement)[1])))
        return regions

    def _settle_values(self) -> None:
        """Decide in order of evaluation where each value is evaluated from now on."""
        program, mover = self.program, self.mover
        searched = {
            id(given): (method, name)
            for space in self._spaces
            for method, group in _groups(space.config).items()
            for name, given in group.items()
            if (method, name) in self._keys
        }
        places = {program.statement(space.entries[0].value) for space in self._spaces if space.variable is None}
        places |= {space.config.place for space in self._spaces if space.variable is not None}
        configs = [self._base, *(space.config for space in self._spaces)]
        named = [pair for config in configs for pair in config.named_values()]
        named.sort(key=lambda pair: program.span(pair[1].argument)[0])
        unused = {id(given) for given in self.config.overwritten} | {
            id(self.config.trainer[name]) for name in (*IGNORED, "enable_checkpointing") if name in self.config.trainer
        }
        mover.expect((given.value, given.statement) for _, given in named)
        for hint, given in named:
            if id(given) in searched:
                mover.take(given.value, given.statement, hint, on_driver=True, stays=given.statement in places)
            elif id(given) in unused:
                mover.discard(given.value, given.statement)
            elif given.argument.star:
                mover.take_unpacked(given.value, given.statement, hint)
            else:
                is_retention = any(given is other for other in self._base.checkpointing.values())
                mover.take(
                    given.value, given.statement, hint, on_driver=is_retention and not self.reports.uses_checkpointing
                )
        for key, name in self._keys.items():
            text = f'{self.config_name}["{name}"]'
            if key in self._static:
                text = self._merged_text(key, self._static[key], text)
            mover.read_as(_groups(self.config)[key[0]][key[1]].value, text)
        for name in IGNORED:
            if name in self.config.trainer:
                self.rewrite.review("MT110", self.config.trainer[name].argument, f"`{name}=...`")

    def _merged_text(self, key: tuple[str, str], static: Given, searched: str) -> str:
        """What is searched for a keyword, merged into what the trainer's own builder gave if both are dictionaries."""
        text = self.mover.in_worker(static.value, self.body + self.unit)
        merge = self.rewrite.class_named("ray.tune.utils.merge_dicts")
        given = _groups(self.config)[key[0]][key[1]].value
        if is_surely_a_dictionary(self.program, static.value) and is_surely_a_dictionary(self.program, given):
            return f"{merge}({text}, {searched})"
        name = self._keys[key]
        return f'{merge}({{"{name}": {text}}}, {self.config_name})["{name}"]'


def _groups(config: LightningConfig) -> dict[str, dict[str, Given]]:
    """A configuration's keywords by the method that takes them."""
    return {
        "module": config.module,
        "trainer": config.trainer,
        "fit": config.fit,
        "strategy": config.strategy,
        "checkpointing": config.checkpointing,
    }


def _check_class(program: Program, given: Given) -> None:
    """A class can't be searched: the builder looked at what it was given."""
    if isinstance(given.value, cst.Call) and program.qualified_name(given.value.func) in legacy.TUNE_DOMAINS:
        raise Refusal("MT106", given.value, "`.module()` takes a class")


def _identity(rewrite: Rewrite, entry: Entry) -> object:
    """What two entries have in common if they are given the same variable."""
    value = entry.value
    return (
        rewrite.program.bindings(value)[0] if isinstance(value, cst.Name) and rewrite.program.bindings(value) else value
    )
