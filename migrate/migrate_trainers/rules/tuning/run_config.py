"""The RunConfig of a tuned trainer for current Ray, which wants it in two.

The Tuner's own RunConfig won over the trainer's, and was for tuning and training both. How to tune goes to the Tuner
now (`ray.tune.RunConfig`), how to train to the trainer that each trial makes (`ray.train.RunConfig`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import CHANGES_IN_LOOP, Refusal
from migrate_trainers.rules.configs import config_arguments, config_class, find_config_call
from migrate_trainers.rules.lightning.checkpoints import FIRST_THAT_FILLS_IN, is_default
from migrate_trainers.rules.literals import is_none
from migrate_trainers.rules.tuning.config_calls import failing_fast, is_given, with_nested
from migrate_trainers.rules.tuning.order import Line, effects_in, line_of
from migrate_trainers.rules.tuning.settled import is_settled
from migrate_trainers.writing.placement import comments_of, removal
from migrate_trainers.writing.render import Argument, call, relocated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from migrate_trainers.reading.program import Statement
    from migrate_trainers.reading.scopes import Binding
    from migrate_trainers.rules.lightning.checkpoints import FilledIn
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.tuning.sites import TunedTrainer, TunerCall

_OF_TRAINING = ("failure_config", "checkpoint_config")
_STORAGE = ("storage_path", "local_dir", "storage_filesystem")


@dataclass(frozen=True, eq=False)
class _Config:
    """A RunConfig that the script makes: the argument by which it is given, its call, its variable, its fields.

    Or a call of `tune.run`, which says itself what a RunConfig says: it is given by none.
    """

    given: cst.Arg | None
    call: cst.Call
    variable: Binding | None
    fields: dict[str, cst.Arg]


class TunedRunConfig:
    """What becomes of the RunConfigs of one tuned trainer and its Tuners; raises `Refusal` where they can't be read.

    `starts_again` says that the trials report their checkpoints to Tune, which keeps them and starts trials again.
    `lines` are those that have to stand before the trainer's own statement.
    """

    def __init__(self, rewrite: Rewrite, tuned: TunedTrainer, trainers: cst.Arg | None, *, starts_again: bool) -> None:
        self.starts_again = starts_again
        self._rewrite = rewrite
        self._program = rewrite.program
        self._tuned = tuned
        given = [tuner.arguments["run_config"] for tuner in tuned.tuners if is_given(tuner.arguments)]
        own = None if trainers is None or is_none(trainers.value) else trainers
        if given and len(given) < len(tuned.tuners):
            raise Refusal("MT501", tuned.site.call, "only some of its Tuners have a RunConfig of their own")
        runs = [_of_run(tuner) for tuner in tuned.tuners if tuner.is_run]
        self._tuners = runs or [self._read(argument) for argument in given]
        self._trainers = self._read(own) if own is not None else None
        self._hoisted: dict[cst.BaseExpression, str] = {}
        self.lines: list[Line] = []
        self._before: dict[Statement, list[Line]] = {}
        self.filled_in: FilledIn | None = None

    @property
    def is_trainers(self) -> bool:
        """Whether the trainer's own is in force, into which its constructor filled a CheckpointConfig."""
        return not self._tuners

    @property
    def argument(self) -> dict[str, cst.Arg]:
        """The argument by which the RunConfig in force was given, if it was."""
        given = self._configs[0].given if self._configs else None
        return {"run_config": given} if given is not None else {}

    @property
    def _configs(self) -> list[_Config]:
        """Those in force: the Tuners' own, else the trainer's."""
        return self._tuners or ([self._trainers] if self._trainers is not None else [])

    @cached_property
    def _moved(self) -> tuple[str, ...]:
        """The fields that are the training run's: a FailureConfig is the search's where it ends that early."""
        if any(failing_fast(self._rewrite, config.fields) for config in self._configs):
            return () if self.starts_again else ("checkpoint_config",)
        return () if self.starts_again else _OF_TRAINING

    def takes_filled_in(self) -> bool:
        """Whether the legacy constructor filled in a CheckpointConfig, as the script gave none or the default one."""
        if self._rewrite.settings.source < FIRST_THAT_FILLS_IN:
            return False
        given = self.in_force.get("checkpoint_config")
        if given is None or is_none(given.value):
            return True
        own = find_config_call(self._rewrite.program, given.value, "CheckpointConfig")
        return own is not None and is_default(self._rewrite, own.call)

    @property
    def hoisted(self) -> list[cst.BaseExpression]:
        """The values that are evaluated before their statement from now on."""
        return list(self._hoisted)

    @property
    def in_force(self) -> dict[str, cst.Arg]:
        """The fields of the RunConfig that a trial had; Tuners that share a trainer have to agree on training."""
        fields = [config.fields for config in self._configs] or [{}]
        texts = [
            {name: self._program.text(one[name].value) for name in (*_OF_TRAINING, *_STORAGE) if name in one}
            for one in fields
        ]
        if any(text != texts[0] for text in texts):
            raise Refusal("MT501", self._tuned.site.call, "its Tuners keep checkpoints or store runs in different ways")
        return fields[0]

    def _read(self, argument: cst.Arg) -> _Config:
        found = find_config_call(self._program, argument.value, "RunConfig")
        fields = config_arguments(self._rewrite, found.call) if found is not None else None
        if found is None or fields is None:
            raise Refusal("MT501", argument, "what its RunConfig says can't be seen")
        return _Config(argument, found.call, found.variable, fields)

    def split(self) -> None:
        """Leave to each Tuner what concerns tuning, under the class that it takes now."""
        for config in {config.call: config for config in self._tuners}.values():
            self._check_uses(config)
            self._settle(config)
            self._make_tuners(config)
        if self._trainers is not None and self._tuners:
            self._keep_effects(self._trainers)
            self._drop(self._trainers)
        elif self._trainers is not None:
            self._check_uses(self._trainers)
            self._settle(self._trainers, moves=self._trainers.variable is None)
            self._hand_to_tuners(self._trainers)
        elif not self._tuners and self._keeps_filled_in:
            self._give_to_tuners(partial(self._tuners_text, None))

    @property
    def _keeps_filled_in(self) -> bool:
        """Whether Tune keeps the checkpoints, as many as the legacy constructor filled in."""
        return self.filled_in is not None and self.starts_again

    def _check_uses(self, config: _Config) -> None:
        """A variable may only be given to this trainer and its Tuners."""
        if config.variable is None:
            return
        known = {id(one.given) for one in (*self._tuners, *filter(None, [self._trainers]))}
        for name in self._program.uses(config.variable):
            if id(self._program.parent(name)) not in known:
                raise Refusal("MT501", name, f"`{name.value}` is used for more than the trainer and its Tuner")

    def _settle(self, config: _Config, *, moves: bool = False) -> None:
        """Keep values where they are evaluated, under a name, that a trial could not evaluate as well.

        `moves` says that the Tuners are given all of it elsewhere.
        """
        statement = self._program.statement(config.call)
        of_trials = tuple(config.fields) if moves else (*self._moved, *_STORAGE)
        places = [self._tuned.site.statement, *(tuner.statement for tuner in self._tuned.tuners if moves)]
        unsettled = [name for name, one in config.fields.items() if not is_settled(self._program, one.value, statement)]
        last = max((index for index, name in enumerate(unsettled) if name in of_trials), default=-1)
        analysis = ValueAnalysis(self._program, statement)
        for name, argument in config.fields.items():
            if name in of_trials:
                self._check_reach(argument, places)
            # An effect that came before a value that stays before the statement stays before it.
            if name not in unsettled[: last + 1] or (name not in of_trials and analysis.only_reads(argument.value)):
                continue
            if self._program.loop_around(statement) is not None:
                raise Refusal("MT501", argument, CHANGES_IN_LOOP)
            scope = self._program.scope(statement)
            if any(scope not in (self._program.scope(place), self._program.module_scope) for place in places):
                raise Refusal("MT501", argument, "its value can't be read where the trainer or the Tuner is made")
            variable = self._hoisted[argument.value] = self._rewrite.new_name(name)
            self.put_before(statement, [line_of(self._program, argument.value, variable)])
            if name not in self._moved and not moves:
                self._rewrite.edits.append(Edit(*self._program.outer_span(argument.value), variable))
            elif name not in self._moved and isinstance(argument.value, cst.Call):
                self._name_classes(with_nested(self._rewrite, argument.value))

    def put_before(self, statement: Statement, lines: Iterable[Line]) -> None:
        """Put lines before the statement that they were made of, in the order of what they were made of."""
        if statement is self._tuned.site.statement:
            self.lines += lines
            return
        if statement not in self._before:
            self._rewrite.late.append(partial(self._edits_before, statement))
        self._before.setdefault(statement, []).extend(lines)

    def _edits_before(self, statement: Statement, others: Sequence[Edit]) -> list[Edit]:
        start = self._program.source.line_start(self._program.statement_start(statement))
        indent = self._program.indent(statement)
        lines = sorted(self._before[statement], key=attrgetter("offset"))
        return [Edit(start, start, "".join(f"{indent}{line.render(others)}\n" for line in lines))]

    def _keep_effects(self, config: _Config) -> None:
        """Keep what is done for a RunConfig that goes as another one is in force."""
        statement = self._program.statement(config.call)
        if config.variable is None or len(self._program.uses(config.variable)) == 1:
            for part in effects_in(self._program, config.call, statement):
                self.put_before(statement, [line_of(self._program, part)])

    def _check_reach(self, argument: cst.Arg, places: Sequence[Statement]) -> None:
        """The names of a value have to mean the same in other places, or it can't be read there."""
        program = self._program
        scopes = [program.scope(place) for place in places]
        for name in program.names:
            own = all(program.contains(argument.value, binding.node) for binding in program.bindings(name))
            if not program.contains(argument.value, name) or (program.bindings(name) and own):
                continue
            if any(scope.lookup(name.value) != program.bindings(name) for scope in scopes):
                raise Refusal("MT501", argument, f"`{name.value}` can't be read where the trainer or the Tuner is made")

    def _make_tuners(self, config: _Config) -> None:
        """Turn a RunConfig's call into the Tuner's, without what concerns training."""
        self._name_tunes_classes(config)
        edits = self._rewrite.arguments_of(config.call)
        for field, argument in config.fields.items():
            if field in self._moved or (field == "local_dir" and is_none(argument.value)):
                edits.remove(argument)
            elif field == "local_dir":
                edits.rename(argument, "storage_path")
            elif field == "sync_config" and not is_none(argument.value):
                raise Refusal("MT403", argument, "`RunConfig(sync_config=...)`")
            elif argument.keyword is None:
                edits.rename(argument, field)

    def _name_tunes_classes(self, config: _Config) -> None:
        """Let a RunConfig and the configurations in it be of the classes that a Tuner takes."""
        failing = failing_fast(self._rewrite, config.fields)
        calls = [config.call] if failing is None else [config.call, failing]
        self._name_classes(with_nested(self._rewrite, config.call) if self.starts_again else calls)

    def _name_classes(self, calls: Iterable[cst.Call]) -> None:
        """Let calls that make configurations name the classes that a Tuner takes."""
        for made in calls:
            class_name = config_class(self._program, made)
            if class_name is not None:
                name = self._rewrite.function_named(f"ray.tune.{class_name}")
                self._rewrite.edits.append(Edit(*self._program.span(made.func), name))

    def _hand_to_tuners(self, config: _Config) -> None:
        """Give the Tuners what the trainer's RunConfig said of tuning."""
        if not self._rest(config) and not self._keeps_filled_in:
            self._drop(config)
            return
        if config.variable is not None:
            self._make_tuners(config)
            for tuner in self._tuned.tuners:
                if self._program.scope(tuner.call).lookup(config.variable.name) != (config.variable,):
                    raise Refusal("MT501", config.call, f"`{config.variable.name}` can't be read where the Tuner is")
        elif "sync_config" in self._rest(config):
            raise Refusal("MT403", config.call, "`RunConfig(sync_config=...)`")
        else:
            self._drop_imports(config.call)
        self._give_to_tuners(partial(self._tuners_text, config))

    def _rest(self, config: _Config) -> dict[str, cst.Arg]:
        """What a RunConfig says of tuning."""
        return {name: one for name, one in config.fields.items() if name not in self._moved and not is_none(one.value)}

    def _give_to_tuners(self, render: Callable[[str], str]) -> None:
        for tuner in self._tuned.tuners:
            edits = self._rewrite.arguments_of(tuner.call)
            if "run_config" in tuner.arguments:
                edits.remove(tuner.arguments["run_config"])
            edits.append(render)

    def _tuners_text(self, config: _Config | None, indent: str) -> str:
        """The Tuner's own `run_config=...` for a line of some indentation, of what the trainer's said of tuning."""
        unit = self._program.module.default_indent
        fields: list[Argument] = []
        if config is not None:
            if config.variable is not None:
                return f"run_config={config.variable.name}"
            names: dict[cst.CSTNode, str] = {
                made.func: self._rewrite.function_named(f"ray.tune.{config_class(self._program, made)}")
                for made in with_nested(self._rewrite, config.call)
            }
            for field, one in self._rest(config).items():
                text = self._hoisted.get(one.value) or relocated(self._program, one.value, indent + unit, names)
                fields.append(Argument(text, "storage_path" if field == "local_dir" else field))
        if self.filled_in is not None and self.starts_again:
            class_name = self._rewrite.function_named("ray.tune.CheckpointConfig")
            fields = [one for one in fields if one.name != "checkpoint_config"]
            fields.append(
                Argument(call(class_name, self.filled_in.arguments, indent + unit, unit), "checkpoint_config")
            )
        made = call(self._rewrite.function_named("ray.tune.RunConfig"), fields, indent, unit, before="run_config=,")
        return f"run_config={made}"

    def _drop(self, config: _Config) -> None:
        """Take out a variable that nothing reads any more."""
        if config.variable is None or len(self._program.uses(config.variable)) > 1:
            return
        statement = self._program.statement(config.variable.node)
        if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
            self._rewrite.edits.append(removal(self._program, statement, comments_of(self._program, statement)))
            self._drop_imports(statement)

    def _drop_imports(self, statement: cst.CSTNode) -> None:
        """Take out the imports that only removed code read, and that the trainer of a trial does not read either."""
        program = self._program
        moved = [one.value for name, one in self.in_force.items() if name in (*_STORAGE, *self._moved)]
        moved += self._hoisted
        for made in program.calls:
            if not program.contains(statement, made) or not isinstance(made.func, cst.Name):
                continue
            for binding in program.bindings(made.func):
                is_read = any(
                    not program.contains(statement, use) or any(program.contains(value, use) for value in moved)
                    for use in program.uses(binding)
                )
                if not is_read and isinstance(binding.node, cst.ImportAlias):
                    self._rewrite.imports.remove(binding.node)

    def of_training(self, others: Sequence[Edit], indent: str, callback: str) -> str:
        """`RunConfig(...)` of the trainer of a trial, for an argument on a line of some indentation.

        `callback` hands its reports on.
        """
        rewrite, program = self._rewrite, self._program
        unit = program.module.default_indent
        trial = f"{rewrite.function_named('ray.tune.get_context')}().get_trial_id()"
        name_text = f"train-trial_id={{{trial}}}"
        if self.starts_again:
            # A trial starts more than once, each time from the checkpoint that it is given.
            name_text += f"-{{{rewrite.imports.module('uuid')}.uuid4().hex}}"
        arguments = [Argument(f'f"{name_text}"', "name")]
        for name in (*_STORAGE, *self._moved):
            argument = self.in_force.get(name)
            if argument is not None and not is_none(argument.value):
                keyword = "storage_path" if name == "local_dir" else name
                # Where it was positional, its keyword has been put in front of it.
                start = program.outer_span(argument.value)[0]
                inside = [edit for edit in others if edit.end > start]
                text = self._hoisted.get(argument.value) or relocated(
                    program, argument.value, indent + unit, edits=inside
                )
                arguments.append(Argument(text, keyword))
        if self.filled_in is not None and not self.starts_again:
            arguments = [one for one in arguments if one.name != "checkpoint_config"]
            arguments.append(Argument(self.filled_in.renderer(rewrite)(indent + unit)))
        arguments.append(Argument(f"[{callback}]", "callbacks"))
        return call(rewrite.class_named("ray.train.RunConfig"), arguments, indent, unit, before="run_config=,")


def _of_run(tuner: TunerCall) -> _Config:
    """What a call of `tune.run` says beside what it runs and searches."""
    fields = {name: one for name, one in tuner.arguments.items() if name not in ("run_or_experiment", "config")}
    return _Config(None, tuner.call, None, fields)
