"""The train function of a builder that is filled straight on: plain keywords in the calls that each worker made."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.batches import REPLACED_BY_DATASETS, read_batches
from migrate_trainers.rules.lightning.checkpoints import filled_in_config, keep_checkpoints
from migrate_trainers.rules.lightning.fit import fit_lines
from migrate_trainers.rules.lightning.mistakes import check_arguments, current_name
from migrate_trainers.rules.lightning.package import LightningPackage
from migrate_trainers.rules.lightning.reports import read_reports
from migrate_trainers.rules.lightning.sites import (
    IGNORED,
    LightningSite,
    automatic_accelerator,
    check_fit_arguments,
    refuse_earlier_effects,
    take_given_checkpoint,
)
from migrate_trainers.rules.literals import is_none, string
from migrate_trainers.rules.trainer_call import (
    function_argument,
    may_resume,
    rename_trainer,
    warn_of_continuation,
)
from migrate_trainers.writing.comments import MovedComments
from migrate_trainers.writing.mover import ValueMover
from migrate_trainers.writing.placement import definition, leading_comments_start, preceding_run, removal
from migrate_trainers.writing.render import Argument, call, free_name, names_in, sequence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from migrate_trainers.reading.program import Statement
    from migrate_trainers.rules.lightning.builder import Given, LightningConfig
    from migrate_trainers.rules.lightning.sites import GivenCheckpoint
    from migrate_trainers.rules.rewrite import Rewrite

_MERGED = ("callbacks", "plugins", "enable_checkpointing", *IGNORED)


class TrainFunction:
    """One train function, and the trainers that run it: several where they share a configuration."""

    def __init__(self, rewrite: Rewrite, sites: list[LightningSite], config: LightningConfig) -> None:
        self.rewrite = rewrite
        self.program = rewrite.program
        self.sites = sites
        self.config = config
        if config.module_class is None:
            raise Refusal("MT106", sites[0].call_site.call, "the last `.module(...)` names no class")
        self.place = config.place
        self.batches = read_batches(rewrite, sites, self.place)
        check_fit_arguments(config.fit, bool(config.fit_splats), sites[0].call_site, self.batches)
        self.module_class = config.module_class
        statements = self.config.statements
        self.run = preceding_run(self.program, self.place, statements) if self.place in statements else []
        self.unit = self.program.module.default_indent
        self.body = self.program.indent(self.place) + self.unit
        check_arguments(rewrite, sites, config.calls)
        self.package = LightningPackage(rewrite, self.module_class.value)
        self.reports = read_reports(rewrite, self.config)
        self.resumes = any(may_resume(rewrite, site.arguments) for site in sites)
        values = self.config.values()
        # Names that mean something to the user's expressions; the function's own must not hide them.
        self.used = {name for given in values for name in names_in(given.value)} | {self.package.root}
        if self.batches is not None:
            self.used |= self.batches.names
        self.config_name = free_name(self.used, "config", "train_loop_config")
        # No value that stays on the driver may get the parameter's name.
        rewrite.imports.reserve(self.config_name)
        self.mover = ValueMover(
            self.program,
            self.place,
            self._trainer_statement(),
            statements,
            rewrite.new_name,
            self.config_name,
        )
        self.comments = MovedComments(self.program, self._vanishing_regions(), [given.argument for given in values])

    def write(self) -> None:
        rewrite = self.rewrite
        self._settle_values()
        if self.resumes:
            warn_of_continuation(rewrite, self.sites[0].arguments)
        if self.batches is not None:
            self.batches.settle(self.mover.add_config)
        given = take_given_checkpoint(rewrite, self.sites)
        if given is not None:
            given = replace(given, text=self.mover.add_config("resume_from_checkpoint", given.text))
        lines = self._function_lines(given)
        name = rewrite.new_name("train_func")
        parameter = self.config_name if self.mover.config else ""
        for site in self.sites:
            fill_in = partial(filled_in_config, rewrite, site.call_site, self.config, self.mover)
            keep_checkpoints(rewrite, site.call_site, site.arguments, fill_in)
            rename_trainer(rewrite, site.call_site)
            function_argument(rewrite, site.call_site, site.arguments["lightning_config"], name, self.mover.config)
        self._place("\n".join([f"def {name}({parameter}):", *lines]))

    def _trainer_statement(self) -> Statement | None:
        """The statement until which what only reads may wait, if there is one."""
        return self.sites[0].call_site.statement if len(self.sites) == 1 else None

    def _vanishing_regions(self) -> list[tuple[int, int]]:
        """The parts of the source that vanish; comments above the place stay, those above other statements don't."""
        source = self.program.source
        regions = [self.program.span(site.arguments["lightning_config"]) for site in self.sites]
        for statement in self.config.statements:
            is_first = bool(self.run) and statement is self.run[0]
            own_line = source.line_start(self.program.span(statement)[0])
            start = own_line if is_first else leading_comments_start(self.program, statement)
            regions.append((start, source.line_end(self.program.span(statement)[1])))
        return regions

    def _settle_values(self) -> None:
        """Decide in order of evaluation where each value is evaluated from now on."""
        config = self.config
        without_use = [*config.overwritten]
        without_use += [config.trainer[name] for name in (*IGNORED, "enable_checkpointing") if name in config.trainer]
        replaced = REPLACED_BY_DATASETS if self.batches is not None else ()
        without_use += [config.fit[name] for name in replaced if name in config.fit]
        self.mover.expect((given.value, given.statement) for given in config.values())
        for hint, given in config.named_values():
            if any(given is other for other in without_use):
                self.mover.discard(given.value, given.statement)
            elif given.argument.star:
                self.mover.take_unpacked(given.value, given.statement, hint)
            else:
                on_driver = not self.reports.uses_checkpointing and any(
                    given is other for other in config.checkpointing.values()
                )
                self.mover.take(given.value, given.statement, hint, on_driver=on_driver)
        if self.mover.hoisted.get(self.place) and not self.run:
            refuse_earlier_effects(self.rewrite, self.sites[0])
        for name in IGNORED:
            if name in config.trainer:
                self.rewrite.review("MT110", config.trainer[name].argument, f"`{name}=...`")
        for name in replaced:
            if name in config.fit and not is_none(config.fit[name].value):
                self.rewrite.review("MT121", config.fit[name].argument, f"`{name}=...`")

    # The function's lines

    def _function_lines(self, given_checkpoint: GivenCheckpoint | None) -> list[str]:
        self.used |= self.mover.names
        reading = self.batches.lines(self.body, self.used) if self.batches is not None else []
        model = free_name(self.used, "model", "lightning_module")
        trainer = free_name(self.used, "trainer", "lightning_trainer")
        prepare = self.rewrite.class_named("ray.train.lightning.prepare_trainer")
        made = call(self.package.trainer, self._trainer_arguments(), self.body, self.unit, spread=True)
        return [
            *reading,
            *self._module_lines(model),
            f"{self.body}{trainer} = {made}",
            f"{self.body}{trainer} = {prepare}({trainer})",
            *self._fit_lines(model, trainer, given_checkpoint),
        ]

    def _module_lines(self, model: str) -> list[str]:
        argument = self.module_class.argument
        comments = [*self.comments.before(argument), *filter(None, [self.comments.behind(argument)])]
        arguments = [*self._arguments(self.config.module), *self._splats(self.config.module_splats)]
        name = self.mover.in_worker(self.module_class.value, self.body)
        made = call(name, arguments, self.body, self.unit, before=f"{model} = ")
        return [*(f"{self.body}{comment}" for comment in comments), f"{self.body}{model} = {made}"]

    def _arguments(self, values: dict[str, Given], *, but: tuple[str, ...] = (), depth: int = 1) -> list[Argument]:
        """Values as keywords of a generated call whose arguments stand `depth` levels inside the function."""
        return [
            Argument(
                self.mover.in_worker(given.value, self.body + self.unit * depth),
                name,
                comments=self.comments.before(given.argument),
                trailing=self.comments.behind(given.argument),
            )
            for name, given in values.items()
            if name not in but
        ]

    def _splats(self, values: Iterable[Given], *, depth: int = 1) -> list[Argument]:
        indent = self.body + self.unit * depth
        return [Argument(self.mover.in_worker(given.value, indent), star="**") for given in values]

    def _trainer_arguments(self) -> list[Argument]:
        config, rewrite = self.config, self.rewrite
        given = {current_name(name, rewrite.settings): value for name, value in config.trainer.items()}
        arguments = self._arguments(given, but=_MERGED)
        accelerator = self._automatic_accelerator()
        if accelerator is not None:
            arguments = [
                replace(argument, value=accelerator) if argument.name == "accelerator" else argument
                for argument in arguments
            ]
            if "accelerator" not in config.trainer:
                arguments.append(Argument(accelerator, "accelerator"))
        environment = f"{rewrite.class_named('ray.train.lightning.RayLightningEnvironment')}()"
        arguments += [
            self._devices(),
            self._strategy(),
            self._extended("plugins", [environment]),
            self._extended("callbacks", self._report_callbacks()),
        ]
        if not self.reports.uses_model_checkpoint and not self._may_have_model_checkpoint():
            arguments.append(Argument("False", "enable_checkpointing"))
        return arguments

    def _devices(self) -> Argument:
        given = self.config.trainer.get("devices")
        if given is None:
            return Argument('"auto"', "devices")
        before, behind = self.comments.before(given.argument), self.comments.behind(given.argument)
        return Argument('"auto"', "devices", comments=before, trailing=behind)

    def _strategy(self) -> Argument:
        config = self.config
        name = self.rewrite.class_named(f"ray.train.lightning.{legacy.STRATEGIES[config.strategy_name]}")
        arguments = [*self._arguments(config.strategy, depth=2), *self._splats(config.strategy_splats, depth=2)]
        return Argument(call(name, arguments, self.body + self.unit, self.unit, before="strategy=,"), "strategy")

    def _automatic_accelerator(self) -> str | None:
        """What stands for `accelerator` where the user leaves it to Lightning, which may see more than the worker's."""
        accelerator = self.config.trainer.get("accelerator")
        if accelerator is not None and string(accelerator.value) != "auto":
            return None
        return automatic_accelerator(self.rewrite, self.sites)

    def _extended(self, name: str, added: list[str]) -> Argument:
        """The user's list of callbacks or plugins with ours behind, as LightningTrainer appended to it."""
        given = self.config.trainer.get(name)
        indent = self.body + self.unit
        items = [Argument(text) for text in added]
        if given is None:
            return Argument(sequence("[", items, "]", indent, self.unit, before=f"{name}=,"), name)
        if isinstance(given.value, cst.List) and not self.mover.is_replaced(given.value):
            items = [*self._kept_elements(given.value, environments=name != "plugins"), *items]
        else:
            items.insert(0, Argument(self.mover.in_worker(given.value, indent + self.unit), star="*"))
        return Argument(
            sequence("[", items, "]", indent, self.unit, before=f"{name}=,"),
            name,
            comments=self.comments.before(given.argument),
            trailing=self.comments.behind(given.argument),
        )

    def _kept_elements(self, node: cst.List, *, environments: bool) -> list[Argument]:
        """A list's elements with their comments; LightningTrainer dropped cluster environments from the plugins."""
        comments = MovedComments(self.program, [self.program.span(node)], node.elements)
        indent = self.body + self.unit * 2
        return [
            Argument(
                self.mover.in_worker(element.value, indent),
                star="*" if isinstance(element, cst.StarredElement) else "",
                comments=comments.before(element),
                trailing=comments.behind(element),
            )
            for element in node.elements
            if environments or not self.package.is_cluster_environment(element.value)
        ]

    def _report_callbacks(self) -> list[str]:
        """The callback that reports, behind one that writes Lightning's own files where they were asked for."""
        rewrite, reports = self.rewrite, self.reports
        indent = self.body + self.unit * 2
        values = {name: given for name, given in self.config.checkpointing.items() if name != "save_last"}
        if reports.needs_callback_class:
            name = reports.define_callback(rewrite, self.package, self.place)
            return [call(name, self._arguments(values, depth=3), indent, self.unit)]
        callback = f"{rewrite.class_named('ray.train.lightning.RayTrainReportCallback')}()"
        if not reports.writes_files:
            return [callback]
        checkpoint = self.package.named("callbacks.ModelCheckpoint")
        arguments = [*self._arguments(values, depth=3), Argument("True", "save_last")]
        return [call(checkpoint, arguments, indent, self.unit), callback]

    def _may_have_model_checkpoint(self) -> bool:
        """Whether the user's own callbacks may hold a ModelCheckpoint, which needs checkpointing enabled."""
        given = self.config.trainer.get("callbacks")
        if given is None:
            return False
        if not isinstance(given.value, cst.List):
            return True
        return any(not self.package.is_no_checkpoint(element.value) for element in given.value.elements)

    def _fit_lines(self, model: str, trainer: str, given_checkpoint: GivenCheckpoint | None) -> list[str]:
        if not self.resumes:
            return [f"{self.body}{self._fit(model, trainer, 0)}"]
        fit = partial(self._fit, model, trainer)
        return fit_lines(self.rewrite, self.body, self.used, given_checkpoint, self.reports.checkpoint_file, fit)

    def _fit(self, model: str, trainer: str, depth: int, path: str | None = None) -> str:
        """The call of `fit`, from a checkpoint file if there is one: it took precedence over the user's `ckpt_path`."""
        config, batches = self.config, self.batches
        replaced = (*(("ckpt_path",) if path else ()), *(REPLACED_BY_DATASETS if batches is not None else ()))
        arguments = [Argument(model), *self._arguments(config.fit, but=replaced, depth=depth + 1)]
        splats = self._splats(config.fit_splats, depth=depth + 1)
        if batches is not None and splats:
            splats = [batches.over(splat.value) for splat in splats]
        elif batches is not None:
            arguments += batches.fit_arguments
        if path and splats:
            splats = [Argument(f'{{**{splat.value}, "ckpt_path": {path}}}', star="**") for splat in splats]
        elif path:
            arguments.append(Argument(path, "ckpt_path"))
        return call(f"{trainer}.fit", [*arguments, *splats], self.body + self.unit * depth, self.unit)

    def _place(self, text: str) -> None:
        """Put the function where the builder was, and the values that stay on the driver where they were."""
        program, rewrite = self.program, self.rewrite
        hoisted = self.mover.hoisted
        function = f"\n{program.indent(self.place)}".join([*self.comments.rest(), text])
        lines = [line for statement in self.run or [self.place] for line in hoisted.get(statement, [])]
        definitions = [*self.reports.definitions, function]
        rewrite.edits += definition(program, self.place, definitions, lines=lines, run=self.run)
        for statement in self.config.statements:
            if statement not in self.run:
                rewrite.edits.append(removal(program, statement, hoisted.get(statement, [])))
