"""A tuned LightningTrainer: its own builder and the one in the search space, deep-merged as Ray did for each trial.

base:  .module(cls=Model, width=8).trainer(max_epochs=3)    def train_func(config):
space: .module(lr=tune.loguniform(1e-4, 1e-1))                  model = Model(width=8, lr=config["lr"])

param_space={"lightning_config": ...}                       param_space={"train_loop_config": {"lr": ...}}
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.data.ingest import write_ingest
from migrate_trainers.rules.lightning.batches import REPLACED_BY_DATASETS
from migrate_trainers.rules.lightning.checkpoints import filled_in_config, keep_checkpoints
from migrate_trainers.rules.lightning.data import read_data
from migrate_trainers.rules.lightning.sites import CONFIG_ARGUMENTS, IGNORED, GivenCheckpoint, LightningSite
from migrate_trainers.rules.lightning.train_function import TrainFunction
from migrate_trainers.rules.lightning.tuned_config import CONFIG, Space, TunedConfig, groups
from migrate_trainers.rules.literals import string
from migrate_trainers.rules.trainer_call import (
    function_argument,
    is_absent,
    refuse_unsupported,
    rename_trainer,
    trainer_arguments,
)
from migrate_trainers.rules.tuning.domains import is_surely_a_dictionary
from migrate_trainers.rules.tuning.driver import Driver
from migrate_trainers.rules.tuning.order import check_order, lines_at, start_of
from migrate_trainers.rules.tuning.run_config import TunedRunConfig
from migrate_trainers.rules.tuning.schedulers import is_population, starts_trials_again
from migrate_trainers.rules.tuning.trial_config import LOOP_CONFIG, START, TrialConfig, name_searched_scaling
from migrate_trainers.rules.tuning.trials import with_data_config
from migrate_trainers.writing.placement import definition, leading_comments_start, removal
from migrate_trainers.writing.render import Argument, sequence

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrate_trainers.reading.program import Statement
    from migrate_trainers.rules.lightning.builder import Given
    from migrate_trainers.rules.lightning.checkpoints import FilledIn
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.tuning.sites import TunedTrainer


_LAX_METRICS = "TUNE_DISABLE_STRICT_METRIC_CHECKING"
# The arguments of Tuner and `tune.run` that may name a metric.
_METRIC_ARGUMENTS = frozenset({"tune_config", "metric", "scheduler", "search_alg"})


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
        self._data = read_data(rewrite, site, arguments)
        refuse_unsupported(rewrite, site, arguments, preprocesses=self._data is not None)
        if not is_absent(arguments, "resume_from_checkpoint"):
            raise Refusal("MT501", arguments["resume_from_checkpoint"], "`resume_from_checkpoint=...`")
        self._parts = TunedConfig(rewrite, tuned, arguments)
        self._names: dict[Space, str] = {}
        starts_again = starts_trials_again(program)
        self._run_config = TunedRunConfig(rewrite, tuned, arguments.get("run_config"), starts_again=starts_again)
        given = {**arguments, **self._run_config.argument}
        super().__init__(rewrite, [LightningSite(site, given, self._data)], self._parts.merged)
        if is_population(program) and not self._parts.keys:
            raise Refusal("MT501", site.call, "its scheduler changes nothing of its configuration")
        self._parts.check_reads()
        self._starts = rewrite.settings.strict_target and starts_again
        if self._starts and START in self._parts.keys.values():
            raise Refusal("MT501", site.call, f"`{START}` is searched, by which a trial is told where it starts")
        self.resumes = self.resumes or starts_again

    # Writing

    def write(self) -> None:
        rewrite = self.rewrite
        self._settle_values()
        if self.batches is not None:
            self.batches.settle(self._refuse_passing)
        start = f'{self.config_name}["{START}"]' if self._starts else None
        lines = self._function_lines(GivenCheckpoint(start, is_own=True) if start else None)
        name = rewrite.new_name("train_func")
        parameter = self.config_name if self._parts.keys or start else ""
        function = "\n".join([f"def {name}({parameter}):", *lines])
        fill_in = partial(filled_in_config, rewrite, self._tuned.site, self._parts.base, self.mover)
        if rewrite.settings.strict_target:
            self._write_driver(name, function, fill_in)
        else:
            self._write_in_place(name, fill_in)
            self._place(function)
        self._write_spaces()

    def _refuse_passing(self, key: str, text: str) -> str:
        """Nothing but what is searched reaches the train function of a trial from its driver."""
        raise Refusal("MT107", self._tuned.site.call, f"`{key}` would have to be passed to each trial")

    def _write_in_place(self, name: str, fill_in: Callable[[], FilledIn | None]) -> None:
        """Older Ray tunes the TorchTrainer itself."""
        rewrite, site = self.rewrite, self._tuned.site
        if self._run_config.is_trainers:
            keep_checkpoints(rewrite, site, self._given, fill_in)
        rename_trainer(rewrite, site)
        if self._data is not None:
            write_ingest(rewrite, self._data)
        if CONFIG in self._given:
            function_argument(rewrite, site, self._given[CONFIG], name, {})
        else:
            rewrite.arguments_of(site.call).prepend(name)

    def _write_driver(self, name: str, function: str, fill_in: Callable[[], FilledIn | None]) -> None:
        rewrite = self.rewrite
        if self._run_config.is_trainers and self._run_config.takes_filled_in():
            self._run_config.filled_in = fill_in()
        self._run_config.split()
        values = self._values()
        check_order(self.program, self._tuned, values, self._run_config.hoisted)
        offset = start_of(self.program, self._tuned.site.statement, values)
        kept = {
            key: argument
            for key, argument in self._given.items()
            if key not in (*CONFIG_ARGUMENTS, "run_config") and not is_absent(self._given, key)
        }
        config = TrialConfig(is_searched=bool(self._parts.keys) or self._starts, starts=self._starts)
        kept, added = with_data_config(rewrite, kept, self._data)
        driver = Driver(rewrite, self._tuned, kept, self._run_config, config, added)
        definitions = [*self.reports.definitions, self._commented(function)]
        lines = lines_at(offset, self._lines())
        rewrite.late.append(partial(driver.edits, function=name, definitions=definitions, lines=lines))
        rewrite.review("MT502", self._tuned.site.call.func, "")
        if self._starts:
            rewrite.review("MT504", self._tuned.site.call.func, "")
        self._take_out_statements()

    def _values(self) -> list[tuple[cst.BaseExpression, Statement]]:
        """All that the builders are given."""
        configs = [self._parts.base, *(space.config for space in self._parts.spaces)]
        return [(given.value, given.statement) for config in configs for _, given in config.named_values()]

    def _place(self, text: str) -> None:
        definitions = [*self.reports.definitions, self._commented(text)]
        self.rewrite.edits += definition(self.program, self.place, definitions, lines=self._lines())
        self._take_out_statements()

    def _commented(self, function: str) -> str:
        """The train function's text below the comments that belong to nothing else."""
        return f"\n{self.program.indent(self.place)}".join([*self.comments.rest(), function])

    def _lines(self) -> list[str]:
        """Statements that stand before the definitions."""
        lines = self.mover.hoisted.get(self.place, [])
        if not self.reports.needs_callback_class and not self._names_metric():
            return lines
        environment = f"{self.rewrite.imports.module('os')}.environ"
        comment = "# A report may lack a metric, which LightningTrainer let Tune accept."
        return [*lines, comment, f'{environment}.setdefault("{_LAX_METRICS}", "1")']

    def _names_metric(self) -> bool:
        """Whether Tune would look for a metric in each report, unless the script itself has told it not to."""
        is_told = any(string(node) == _LAX_METRICS for node in self.program.strings)
        return not is_told and any({*tuner.arguments} & _METRIC_ARGUMENTS for tuner in self._tuned.tuners)

    def _take_out_statements(self) -> None:
        """Remove the builders' statements; a built search space becomes a dictionary in its variable's place."""
        program, hoisted = self.program, dict(self.mover.hoisted)
        hoisted.pop(self.place, None)
        spaces = {space.config.place: space for space in self._parts.spaces if space.variable is not None}
        for statement in self.config.statements:
            lines = hoisted.pop(statement, [])
            if statement in spaces:
                self.rewrite.edits.append(self._space_statement(spaces[statement], lines))
            else:
                self.rewrite.edits.append(removal(program, statement, lines))
        for statement, lines in hoisted.items():
            self._run_config.put_before(statement, lines_at(start_of(program, statement, self._values()), lines))

    def _space_statement(self, space: Space, lines: list[str]) -> Edit:
        """The edit that puts a dictionary into the variable that had the built configuration."""
        program, statement = self.program, space.config.place
        name = self._names[space] = self.rewrite.new_name("mutations" if space.is_mutation else "search_space")
        indent = program.indent(statement)
        text = f"{name} = {self._space_text(space, indent, before=f'{name} = ')}"
        return Edit(*program.span(statement), f"\n{indent}".join([*lines, text]))

    def _write_spaces(self) -> None:
        """Name the train function's config in the search spaces, and give what it is searched for."""
        name_searched_scaling(self.rewrite, self._tuned)
        for space in self._parts.spaces:
            for entry in space.entries:
                text = self._names.get(space)
                if text is None:
                    indent = self.program.indent(entry.value)
                    text = self._space_text(space, indent, before=f'"{LOOP_CONFIG}": ')
                self.rewrite.edits.append(Edit(*self.program.outer_span(entry.value), text))
                key = LOOP_CONFIG if isinstance(self.program.parent(entry.key), cst.Arg) else f'"{LOOP_CONFIG}"'
                self.rewrite.edits.append(Edit(*self.program.span(entry.key), key))

    def _space_text(self, space: Space, indent: str, *, before: str) -> str:
        """A search space as a dictionary with the train function's keys, for a line of some indentation."""
        unit = self.unit
        items = []
        for method, group in groups(space.config).items():
            for name, given in group.items():
                if (method, name) in self._parts.keys:
                    value = self.mover.on_driver(given.value, indent + unit)
                    comments, behind = self.comments.before(given.argument), self.comments.behind(given.argument)
                    text = f'"{self._parts.keys[method, name]}": {value}'
                    items.append(Argument(text, comments=comments, trailing=behind))
        return sequence("{", items, "}", indent, unit, before=before)

    # Values

    def _trainer_statement(self) -> Statement | None:
        # What only reads may have changed when a trial runs.
        return None

    def _vanishing_regions(self) -> list[tuple[int, int]]:
        program, source = self.program, self.program.source
        regions = [program.span(entry.value) for space in self._parts.spaces for entry in space.entries]
        if CONFIG in self._given:
            regions.append(program.span(self._given[CONFIG]))
        kept = [space.config.place for space in self._parts.spaces if space.variable is not None]
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
            for space in self._parts.spaces
            for method, group in groups(space.config).items()
            for name, given in group.items()
            if (method, name) in self._parts.keys
        }
        places = {program.statement(space.entries[0].value) for space in self._parts.spaces if space.variable is None}
        places |= {space.config.place for space in self._parts.spaces if space.variable is not None}
        configs = [self._parts.base, *(space.config for space in self._parts.spaces)]
        named = [pair for config in configs for pair in config.named_values()]
        named.sort(key=lambda pair: program.span(pair[1].argument)[0])
        unused = {id(given) for given in self.config.overwritten} | {
            id(self.config.trainer[name]) for name in (*IGNORED, "enable_checkpointing") if name in self.config.trainer
        }
        replaced = [name for name in REPLACED_BY_DATASETS if self.batches is not None and name in self.config.fit]
        unused |= {id(self.config.fit[name]) for name in replaced}
        mover.expect((given.value, given.statement) for _, given in named)
        for hint, given in named:
            if id(given) in searched:
                mover.take(given.value, given.statement, hint, on_driver=True, stays=given.statement in places)
            elif id(given) in unused:
                mover.discard(given.value, given.statement)
            elif given.argument.star:
                mover.take_unpacked(given.value, given.statement, hint)
            else:
                is_retention = any(given is other for other in self._parts.base.checkpointing.values())
                mover.take(
                    given.value, given.statement, hint, on_driver=is_retention and not self.reports.uses_checkpointing
                )
        for key, name in self._parts.keys.items():
            text = f'{self.config_name}["{name}"]'
            if key in self._parts.static:
                text = self._merged_text(key, self._parts.static[key], text)
            mover.read_as(groups(self.config)[key[0]][key[1]].value, text)
        for name in IGNORED:
            if name in self.config.trainer:
                self.rewrite.review("MT110", self.config.trainer[name].argument, f"`{name}=...`")
        for name in replaced:
            self.rewrite.review("MT121", self.config.fit[name].argument, f"`{name}=...`")

    def _merged_text(self, key: tuple[str, str], static: Given, searched: str) -> str:
        """What is searched for a keyword, merged into what the trainer's own builder gave if both are dictionaries."""
        text = self.mover.in_worker(static.value, self.body + self.unit)
        merge = self.rewrite.class_named("ray.tune.utils.merge_dicts")
        given = groups(self.config)[key[0]][key[1]].value
        if is_surely_a_dictionary(self.program, static.value) and is_surely_a_dictionary(self.program, given):
            return f"{merge}({text}, {searched})"
        name = self._parts.keys[key]
        return f'{merge}({{"{name}": {text}}}, {self.config_name})["{name}"]'
