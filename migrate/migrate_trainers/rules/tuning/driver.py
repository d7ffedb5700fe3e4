"""The trainer of each trial: a function that makes and fits a TorchTrainer, which `Tuner` runs on current Ray.

trainer = LightningTrainer(scaling_config=...)      def train_driver(config):
                                                        trainer = TorchTrainer(train_func, ...)
                                                        trainer.fit()

tuner = Tuner(trainer, ...)                         tuner = Tuner(tune.with_resources(train_driver, ...), ...)
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import CHANGES_IN_LOOP, Refusal
from migrate_trainers.rules.tuning.order import Line, line_of
from migrate_trainers.rules.tuning.settled import is_settled
from migrate_trainers.rules.tuning.trial_config import LOOP_CONFIG, SCALING, START, searches_scaling
from migrate_trainers.writing import templates
from migrate_trainers.writing.comments import MovedComments
from migrate_trainers.writing.placement import definition
from migrate_trainers.writing.render import Argument, call, free_name, names_in, relocated, sequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.tuning.run_config import TunedRunConfig
    from migrate_trainers.rules.tuning.sites import TunedTrainer
    from migrate_trainers.rules.tuning.trial_config import TrialConfig

# What a trial reserves for itself: almost nothing, as it only waits for its workers, which reserve their own.
_TRIAL_RESOURCES = '{"CPU": 0.01}'


class Driver:
    """The trainer of one call site, as the trials make it.

    `arguments` are those of the legacy trainer that the new one takes too, by their new names: also that in `config`,
    if the trainer has one of its own. `added` are further arguments, as text. `edits` has to be asked for last: the
    text of what moves into the driver takes in all other edits.
    """

    def __init__(
        self,
        rewrite: Rewrite,
        tuned: TunedTrainer,
        arguments: dict[str, cst.Arg],
        run_config: TunedRunConfig,
        config: TrialConfig,
        added: Sequence[Argument] = (),
    ) -> None:
        self._rewrite = rewrite
        self._program = rewrite.program
        self._tuned = tuned
        self._arguments = arguments
        self._run_config = run_config
        self._config = config
        self._added = added
        self._hoisted: dict[str, str] = {}
        self._lines: list[Line] = []
        self._callback = self._fit = ""
        self._definitions = self._report_definitions()
        for name, argument in arguments.items():
            is_replaced = name == SCALING and searches_scaling(tuned)
            if not is_replaced and not is_settled(self._program, argument.value, tuned.site.statement):
                self._hoist(name, argument)
        used = {name for argument in arguments.values() for name in names_in(argument.value)}
        self._reports = free_name({*used, *self._program.all_bound_names()}, "reports", "trial_reports")
        self._parameter = free_name({*used, *self._program.all_bound_names()}, "config", "trial_config")
        self._trainer = free_name(used, "trainer", "torch_trainer")

    def _hoist(self, name: str, argument: cst.Arg) -> None:
        statement = self._tuned.site.statement
        if self._program.loop_around(statement) is not None:
            raise Refusal("MT501", argument, CHANGES_IN_LOOP)
        variable = self._hoisted[name] = self._rewrite.new_name(name)
        self._lines.append(line_of(self._program, argument.value, variable))

    def edits(
        self, others: Sequence[Edit], function: str, definitions: Sequence[str], lines: Sequence[Line]
    ) -> list[Edit]:
        """The edits that put the driver where the trainer was made, behind the train function's definitions.

        `lines` are to stand before these.
        """
        tuned = self._tuned
        name = self._rewrite.new_name("train_driver")
        trainable = f"{self._rewrite.function_named('ray.tune.with_resources')}({name}, {_TRIAL_RESOURCES})"
        edits = [Edit(*self._program.span(use), trainable) for use in tuned.uses]
        for made in tuned.made_trainable:
            assert isinstance(made.func, cst.Attribute)
            edits.append(Edit(self._program.outer_span(made.func.value)[1], self._program.span(made)[1], ""))
        definitions = [*self._definitions, *definitions]
        text = self._function_text(name, function, others)
        place = tuned.site.statement
        before = sorted([*lines, *self._lines, *self._run_config.lines], key=attrgetter("offset"))
        texts = [line.render(others) for line in before]
        if tuned.variable is None:
            return [*edits, *definition(self._program, place, [*definitions, text], lines=texts)]
        return [*edits, *definition(self._program, place, [text], lines=texts, run=[place], earlier=definitions)]

    def _report_definitions(self) -> list[str]:
        """The callback and the function that report to Tune, where this is the first place for them.

        Ray's own `TuneReportCallback` loses the last report, or waits for ever, where Tune takes it after the end.
        """
        rewrite, place = self._rewrite, self._tuned.site.statement
        user_callback = rewrite.class_named("ray.train.UserCallback")
        self._callback, callback = rewrite.own_definition(
            "TrialReportCallback",
            place,
            lambda name: templates.TRIAL_CALLBACK.format(name=name, user_callback=user_callback),
        )
        self._fit, fit = rewrite.own_definition(
            "fit_in_trial",
            place,
            lambda name: templates.FIT_IN_TRIAL.format(
                name=name,
                threading=rewrite.imports.module("threading"),
                empty=rewrite.class_named("ray.util.queue.Empty"),
                report_lines=self._report_lines(),
            ),
        )
        return [*callback, *fit]

    def _report_lines(self) -> str:
        report = self._rewrite.function_named("ray.tune.report")
        if not self._run_config.starts_again:
            return templates.REPORT_CHECKPOINT_PATH.format(report=report)
        checkpoint_class = self._rewrite.function_named("ray.tune.Checkpoint")
        return templates.REPORT_CHECKPOINT.format(report=report, checkpoint_class=checkpoint_class)

    def _function_text(self, name: str, function: str, others: Sequence[Edit]) -> str:
        unit = self._program.module.default_indent
        body = self._program.indent(self._tuned.site.statement) + unit
        trainer_class = self._rewrite.class_named("ray.train.torch.TorchTrainer")
        made = call(trainer_class, self._trainer_arguments(function, body, others), body, unit, spread=True)
        queue = self._rewrite.class_named("ray.util.queue.Queue")
        lines = [
            f"def {name}({self._parameter}):",
            f'{body}{self._reports} = {queue}(1, actor_options={{"num_cpus": 0}})',
            f"{body}{self._trainer} = {made}{self._comment_behind()}",
            f"{body}{self._fit}({self._trainer}, {self._reports})",
        ]
        return "\n".join(lines)

    def _comment_behind(self) -> str:
        """The comment behind the statement that made the trainer."""
        if self._tuned.variable is None:
            return ""
        end = self._program.span(self._tuned.site.call)[1]
        return "".join(f"  {text}" for text in self._program.comments_in(end, self._program.source.line_end(end)))

    def _trainer_arguments(self, function: str, indent: str, others: Sequence[Edit]) -> list[Argument]:
        program = self._program
        inner = indent + program.module.default_indent
        span = program.span(self._tuned.site.call)
        comments = MovedComments(program, [span], list(self._arguments.values()))
        arguments = [Argument(function)]
        if LOOP_CONFIG not in self._arguments and not self._config.is_empty:
            arguments.append(Argument(self._config_text(inner, others), LOOP_CONFIG))
        if SCALING not in self._arguments and searches_scaling(self._tuned):
            arguments.append(Argument(self._searched_scaling(), SCALING))
        for name, argument in self._arguments.items():
            if name == LOOP_CONFIG:
                text = self._config_text(inner, others)
            elif name == SCALING and searches_scaling(self._tuned):
                text = self._searched_scaling()
            else:
                text = self._own_text(name, inner, others)
            behind = comments.behind(argument)
            arguments.append(Argument(text, name, comments=comments.before(argument), trailing=behind))
        arguments += self._added
        callback = f"{self._callback}({self._reports})"
        run_config = self._run_config.of_training(others, inner, callback)
        arguments.append(Argument(run_config, "run_config", comments=tuple(comments.rest())))
        return arguments

    def _own_text(self, name: str, indent: str, others: Sequence[Edit]) -> str:
        """What the trainer itself gives for an argument, for a line of some indentation."""
        value = self._arguments[name].value
        return self._hoisted.get(name) or relocated(self._program, value, indent, edits=others)

    def _searched_scaling(self) -> str:
        return f'{self._rewrite.class_named("ray.train.ScalingConfig")}(**{self._parameter}["{SCALING}"])'

    def _config_text(self, indent: str, others: Sequence[Edit]) -> str:
        """The `train_loop_config` of a trial, for a line of some indentation."""
        config = self._config
        if not config.is_searched and not config.starts:
            return self._own_text(LOOP_CONFIG, indent, others)
        searched = f'{self._parameter}["{LOOP_CONFIG}"]'
        if not config.is_always_searched:
            searched = f'{self._parameter}.get("{LOOP_CONFIG}", {{}})'
        parts: list[Argument] = []
        if config.own is not None and config.is_searched and not config.is_flat:
            own = self._own_text(LOOP_CONFIG, indent, others)
            merge = self._rewrite.class_named("ray.tune.utils.merge_dicts")
            parts.append(Argument(f"{merge}({own}, {searched})", star="**"))
        else:
            entries, left = self._own_entries(indent, others) if config.own is not None else ([], ())
            parts += entries
            parts += [Argument(searched, star="**", comments=left)] if config.is_searched else []
        if config.starts:
            start = f"{self._rewrite.function_named('ray.tune.get_checkpoint')}()"
            parts.append(Argument(f'"{START}": {start}'))
        if len(parts) == 1 and parts[0].star:
            return parts[0].value
        return sequence("{", parts, "}", indent, self._program.module.default_indent, before=f"{LOOP_CONFIG}=,")

    def _own_entries(self, indent: str, others: Sequence[Edit]) -> tuple[list[Argument], tuple[str, ...]]:
        """The trainer's own configuration as entries of a new dictionary, and the comments behind them."""
        program, own = self._program, self._config.own
        if LOOP_CONFIG in self._hoisted or not isinstance(own, cst.Dict) or own.lpar:
            text = self._own_text(LOOP_CONFIG, indent, others)
            needs_brackets = isinstance(own, cst.IfExp | cst.BooleanOperation)
            return [Argument(f"({text})" if needs_brackets else text, star="**")], ()
        comments = MovedComments(program, [program.span(own)], own.elements)
        inner = indent + program.module.default_indent
        entries = []
        for element in own.elements:
            value = relocated(program, element.value, inner, edits=others)
            key = f"{program.text(element.key)}: " if isinstance(element, cst.DictElement) else "**"
            behind = comments.behind(element)
            entries.append(Argument(f"{key}{value}", comments=comments.before(element), trailing=behind))
        return entries, tuple(comments.rest())
