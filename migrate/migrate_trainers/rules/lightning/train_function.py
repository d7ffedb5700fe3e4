"""LightningTrainer: the train function that makes the calls which it made in each worker."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.configs import uses_gpu
from migrate_trainers.rules.lightning.builder import Given, LightningConfig, read_config
from migrate_trainers.rules.lightning.checkpoints import filled_in_config, keep_checkpoints
from migrate_trainers.rules.lightning.package import LightningPackage
from migrate_trainers.rules.lightning.reports import read_reports
from migrate_trainers.rules.trainer_call import (
    function_argument,
    is_absent,
    may_resume,
    refuse_unsupported,
    rename_trainer,
    trainer_arguments,
    warn_of_continuation,
)
from migrate_trainers.writing import templates
from migrate_trainers.writing.comments import MovedComments
from migrate_trainers.writing.mover import ValueMover
from migrate_trainers.writing.placement import definition, leading_comments_start, preceding_run, removal
from migrate_trainers.writing.render import Argument, call, free_name, names_in, sequence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from migrate_trainers.rules.rewrite import CallSite, Rewrite

_OWN_ARGUMENTS = ("lightning_config", "datasets_iter_config")
_FIT_ARGUMENTS = frozenset({"train_dataloaders", "val_dataloaders", "datamodule", "ckpt_path", "weights_only"})
# Arguments of `.trainer(...)` that LightningTrainer overwrote or that Ray decides.
_IGNORED = ("strategy", "devices", "num_nodes")
_MERGED = ("callbacks", "plugins", "enable_checkpointing", *_IGNORED)


@dataclass(frozen=True)
class _Trainer:
    """A call site with what was read of it."""

    site: CallSite
    arguments: dict[str, cst.Arg]
    config: LightningConfig


def migrate_lightning(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's LightningTrainers; raises `Refusal` for the first that can't be."""
    groups: dict[cst.CSTNode, list[_Trainer]] = {}
    for site in sites:
        trainer = _read(rewrite, site)
        key = trainer.config.place if trainer.config.statements else site.call
        groups.setdefault(key, []).append(trainer)
    for trainers in groups.values():
        _TrainFunction(rewrite, trainers).write()


def _read(rewrite: Rewrite, site: CallSite) -> _Trainer:
    arguments = trainer_arguments(site, _OWN_ARGUMENTS)
    for name in ("datasets", "dataset_config", "datasets_iter_config"):
        if not is_absent(arguments, name):
            raise Refusal("MT107", arguments[name], f"`{name}=...`")
        if name in arguments:
            rewrite.arguments_of(site.call).remove(arguments[name])
    refuse_unsupported(rewrite, site, arguments)
    if is_absent(arguments, "lightning_config"):
        raise Refusal("MT106", site.call, "it has no `lightning_config`")
    config = read_config(rewrite.program, arguments["lightning_config"].value, site.statement)
    if config.module_class is None:
        raise Refusal("MT106", site.call, "the last `.module(...)` names no class")
    for name, given in config.fit.items():
        if name not in _FIT_ARGUMENTS:
            raise Refusal("MT106", given.argument, f"`Trainer.fit` can't be given `{name}`")
    if not config.fit_splats and not {"train_dataloaders", "datamodule"} & set(config.fit):
        raise Refusal("MT106", site.call, "it has neither `train_dataloaders`, nor a `datamodule`, nor datasets")
    return _Trainer(site, arguments, config)


class _TrainFunction:
    """One train function, and the trainers that run it: several where they share a configuration."""

    def __init__(self, rewrite: Rewrite, trainers: list[_Trainer]) -> None:
        self.rewrite = rewrite
        self.program = rewrite.program
        self.trainers = trainers
        self.config = trainers[0].config
        assert self.config.module_class is not None
        self.module_class = self.config.module_class
        self.place = self.config.place
        statements = self.config.statements
        self.run = preceding_run(self.program, self.place, statements) if self.place in statements else []
        self.unit = self.program.module.default_indent
        self.body = self.program.indent(self.place) + self.unit
        self.package = LightningPackage(rewrite, self.module_class.value)
        self.reports = read_reports(rewrite, self.config)
        self.resumes = any(may_resume(rewrite, trainer.arguments) for trainer in trainers)
        values = self.config.values()
        # Names that mean something to the user's expressions; the function's own must not hide them.
        self.used = {name for given in values for name in names_in(given.value)} | {self.package.root}
        self.config_name = free_name(self.used, "config", "train_loop_config")
        self.mover = ValueMover(
            self.program,
            self.place,
            trainers[0].site.statement if len(trainers) == 1 else None,
            statements,
            rewrite.new_name,
            self.config_name,
        )
        self.comments = MovedComments(self.program, self._vanishing_regions(), [given.argument for given in values])

    def write(self) -> None:
        rewrite, first = self.rewrite, self.trainers[0]
        self._settle_values()
        if self.resumes:
            warn_of_continuation(rewrite, first.arguments)
        lines = self._function_lines(self._given_checkpoint())
        name = rewrite.new_name("train_func")
        parameter = self.config_name if self.mover.config else ""
        for trainer in self.trainers:
            keep_checkpoints(
                rewrite,
                trainer.site,
                trainer.arguments,
                partial(filled_in_config, rewrite, trainer.site, self.config, self.mover),
            )
            rename_trainer(rewrite, trainer.site)
            argument = trainer.arguments["lightning_config"]
            function_argument(rewrite, trainer.site, argument, name, self.mover.config)
        self._place("\n".join([f"def {name}({parameter}):", *lines]))

    def _vanishing_regions(self) -> list[tuple[int, int]]:
        """The parts of the source that vanish; comments above the place stay, those above other statements don't."""
        source = self.program.source
        regions = [self.program.span(trainer.arguments["lightning_config"]) for trainer in self.trainers]
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
        without_use += [config.trainer[name] for name in (*_IGNORED, "enable_checkpointing") if name in config.trainer]
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
            self._refuse_earlier_effects()
        for name in _IGNORED:
            if name in config.trainer:
                self.rewrite.review("MT110", config.trainer[name].argument, f"`{name}=...`")

    def _refuse_earlier_effects(self) -> None:
        """Values that move before the trainer's statement must not pass calls that it makes before them."""
        argument = self.trainers[0].arguments["lightning_config"]
        start = self.program.span(argument)[0]
        for other in self.program.calls:
            is_config = self.program.qualified_name(other.func) in legacy.CONFIG_CLASSES
            if self.program.contains(self.place, other) and self.program.span(other)[1] <= start and not is_config:
                raise Refusal("MT102", other, "it is called before the configuration is made, in the same statement")

    def _given_checkpoint(self) -> str | None:
        """How the train function reads `resume_from_checkpoint`, which current trainers don't take."""
        given = [trainer for trainer in self.trainers if not is_absent(trainer.arguments, "resume_from_checkpoint")]
        if not given or not self.rewrite.settings.strict_target:
            return None
        if len(self.trainers) > 1:
            raise Refusal("MT102", given[0].site.call, "several trainers share the configuration of one that resumes")
        argument = given[0].arguments["resume_from_checkpoint"]
        self.rewrite.arguments_of(given[0].site.call).remove(argument)
        return self.mover.add_config("resume_from_checkpoint", self.program.outer_text(argument.value))

    # The function's lines

    def _function_lines(self, given_checkpoint: str | None) -> list[str]:
        model = free_name(self.used, "model", "lightning_module")
        trainer = free_name(self.used, "trainer", "lightning_trainer")
        prepare = self.rewrite.class_named("ray.train.lightning.prepare_trainer")
        made = call(self.package.trainer, self._trainer_arguments(), self.body, self.unit, spread=True)
        return [
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
        arguments = self._arguments(config.trainer, but=_MERGED)
        if self._must_stay_on_cpu():
            arguments = [argument for argument in arguments if argument.name != "accelerator"]
            arguments.append(Argument('"cpu"', "accelerator"))
        environment = f"{rewrite.class_named('ray.train.lightning.RayLightningEnvironment')}()"
        arguments += [
            Argument('"auto"', "devices"),
            self._strategy(),
            self._extended("plugins", [environment]),
            self._extended("callbacks", self._report_callbacks()),
        ]
        if not self.reports.uses_model_checkpoint and not self._may_have_model_checkpoint():
            arguments.append(Argument("False", "enable_checkpointing"))
        return arguments

    def _strategy(self) -> Argument:
        config = self.config
        name = self.rewrite.class_named(f"ray.train.lightning.{legacy.STRATEGIES[config.strategy_name]}")
        arguments = [*self._arguments(config.strategy, depth=2), *self._splats(config.strategy_splats, depth=2)]
        return Argument(call(name, arguments, self.body + self.unit, self.unit, before="strategy=,"), "strategy")

    def _must_stay_on_cpu(self) -> bool:
        """Whether the workers have no GPU although `accelerator` would take one that the machine has."""
        accelerator = self.config.trainer.get("accelerator")
        if accelerator is not None:
            value = accelerator.value
            if not (isinstance(value, cst.SimpleString) and value.evaluated_value == "auto"):
                return False
        scaling = [trainer.arguments.get("scaling_config") for trainer in self.trainers]
        return all(uses_gpu(self.rewrite, argument.value if argument else None) is False for argument in scaling)

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

    def _fit_lines(self, model: str, trainer: str, given_checkpoint: str | None) -> list[str]:
        body = self.body
        if not self.resumes:
            return [f"{body}{self._fit(model, trainer, 0)}"]
        checkpoint = free_name(self.used, "checkpoint", "ray_checkpoint")
        folder = free_name(self.used, "checkpoint_dir", "checkpoint_folder")
        path = free_name(self.used, "ckpt_path", "checkpoint_path")
        found = f"{self.rewrite.function_named('ray.train.get_checkpoint')}()"
        os = self.rewrite.imports.module("os")
        inner, deeper = body + self.unit, body + self.unit * 2
        lines = [
            f"{body}{checkpoint} = {found} or {given_checkpoint}"
            if given_checkpoint
            else f"{body}{checkpoint} = {found}",
            f"{body}if {checkpoint}:",
            f"{inner}with {checkpoint}.as_directory() as {folder}:",
            f'{deeper}{path} = {os}.path.join({folder}, "{templates.LIGHTNING_CHECKPOINT}")',
        ]
        if given_checkpoint:
            old = f'{os}.path.join({folder}, "{templates.LEGACY_LIGHTNING_CHECKPOINT}")'
            lines.append(f"{deeper}if not {os}.path.exists({path}):")
            lines.append(f"{deeper}{self.unit}{path} = {old}  # as LightningTrainer wrote it")
        return [
            *lines,
            f"{deeper}{self._fit(model, trainer, 2, path)}",
            f"{body}else:",
            f"{inner}{self._fit(model, trainer, 1)}",
        ]

    def _fit(self, model: str, trainer: str, depth: int, path: str | None = None) -> str:
        """The call of `fit`, from a checkpoint file if there is one: it took precedence over the user's `ckpt_path`."""
        config = self.config
        arguments = [Argument(model), *self._arguments(config.fit, but=("ckpt_path",) if path else (), depth=depth + 1)]
        splats = self._splats(config.fit_splats, depth=depth + 1)
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
