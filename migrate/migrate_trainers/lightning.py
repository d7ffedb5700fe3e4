"""LightningTrainer: the train function that makes the calls which it made in each worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers import legacy, templates
from migrate_trainers.comments import MovedComments
from migrate_trainers.configs import uses_gpu
from migrate_trainers.lightning_checkpoints import keep_checkpoints
from migrate_trainers.lightning_config import Given, LightningConfig, read_config
from migrate_trainers.lightning_package import LightningPackage
from migrate_trainers.lightning_reports import Reports, read_reports
from migrate_trainers.mover import ValueMover
from migrate_trainers.placement import definition, leading_comments_start, preceding_run, removal
from migrate_trainers.refusal import Refusal
from migrate_trainers.render import Argument, call
from migrate_trainers.source import Edit
from migrate_trainers.trainer_call import (
    function_argument,
    is_absent,
    may_resume,
    refuse_unsupported,
    rename_trainer,
    trainer_arguments,
    warn_of_continuation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.program import Statement
    from migrate_trainers.rewrite import CallSite, Rewrite

_OWN_ARGUMENTS = ("lightning_config", "datasets_iter_config")
_FIT_ARGUMENTS = frozenset({"train_dataloaders", "val_dataloaders", "datamodule", "ckpt_path", "weights_only"})
# Arguments of `.trainer(...)` that LightningTrainer overwrote or that Ray decides.
_IGNORED = ("strategy", "devices", "num_nodes")
_MERGED = ("callbacks", "plugins", "enable_checkpointing", *_IGNORED)


@dataclass(frozen=True)
class _Site:
    """A call site with what was read of it."""

    site: CallSite
    arguments: dict[str, cst.Arg]
    config: LightningConfig


def migrate_lightning(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's LightningTrainers; raises `Refusal` for the first that can't be."""
    groups: dict[cst.CSTNode, list[_Site]] = {}
    for site in sites:
        read = _read(rewrite, site)
        key = read.config.place if read.config.statements else site.call
        groups.setdefault(key, []).append(read)
    for group in groups.values():
        _TrainFunction(rewrite, group).write()


def _read(rewrite: Rewrite, site: CallSite) -> _Site:
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
        raise Refusal("MT106", site.call, "no `.module(cls=...)` names the module's class in its last call")
    for name, given in config.fit.items():
        if name not in _FIT_ARGUMENTS:
            raise Refusal("MT106", given.argument, f"`Trainer.fit` has no argument `{name}`")
    if not config.fit_splats and not {"train_dataloaders", "datamodule"} & set(config.fit):
        raise Refusal("MT106", site.call, "it has neither `train_dataloaders`, nor a `datamodule`, nor datasets")
    return _Site(site, arguments, config)


class _TrainFunction:
    """Writes one train function and the trainers that run it."""

    def __init__(self, rewrite: Rewrite, group: list[_Site]) -> None:
        self.rewrite = rewrite
        self.program = rewrite.program
        self.group = group
        self.config = group[0].config
        self.place = self.config.place
        statements = self.config.statements
        self.run = preceding_run(self.program, self.place, statements) if self.place in statements else []
        self.indent = self.program.indent(self.place)
        self.unit = self.program.module.default_indent
        self.body = self.indent + self.unit
        self.package = LightningPackage(rewrite, self.config)
        self.used = {name for given in self._given() for name in _names_in(given.value)} | {self.package.root}
        self.resumes = any(may_resume(rewrite, read.arguments) for read in group)
        self.reports = read_reports(rewrite, self.config)
        self.config_name = self.local("config", "train_loop_config")
        trainer = group[0].site.statement if len(group) == 1 else None
        self.mover = ValueMover(
            self.program,
            self.place,
            trainer,
            self.config.statements,
            lambda hint: rewrite.new_name(hint),
            self.config_name,
        )
        self.comments = MovedComments(self.program, self._regions(), [given.argument for given in self._given()])

    # Reading

    def _given(self) -> Iterator[Given]:
        """Every value of the configuration, in the order in which the script evaluates them."""
        config = self.config
        given = [
            *([config.module_class] if config.module_class else []),
            *config.module.values(),
            *config.module_splats,
            *config.trainer.values(),
            *config.fit.values(),
            *config.fit_splats,
            *config.strategy.values(),
            *config.strategy_splats,
            *config.checkpointing.values(),
            *config.overwritten,
        ]
        yield from sorted(given, key=lambda one: self.program.span(one.argument)[0])

    def _regions(self) -> list[tuple[int, int]]:
        """The parts of the source that vanish."""
        source = self.program.source
        regions = [
            (
                source.line_start(self.program.span(statement)[0])
                if self.run and statement is self.run[0]
                else leading_comments_start(self.program, statement),
                source.line_end(self.program.span(statement)[1]),
            )
            for statement in self.config.statements
        ]
        return regions + [self.program.span(read.arguments["lightning_config"]) for read in self.group]

    def local(self, *candidates: str) -> str:
        """A name inside the train function that hides nothing which is read there."""
        for candidate in candidates:
            if candidate not in self.used:
                return candidate
        number = 2
        while f"{candidates[0]}_{number}" in self.used:
            number += 1
        return f"{candidates[0]}_{number}"

    # Writing

    def write(self) -> None:
        rewrite, config = self.rewrite, self.config
        self._settle_values()
        for read in self.group:
            warn = self.resumes and read is self.group[0]
            if warn:
                warn_of_continuation(rewrite, read.arguments)
        resume = self._resume_value()
        lines = self._function_lines(resume)
        name = rewrite.new_name("train_func")
        parameter = self.config_name if self.mover.config else ""
        header = f"def {name}({parameter}):"
        text = "\n".join([header, *lines])
        for read in self.group:
            keep_checkpoints(rewrite, read.site, read.arguments, config, self.mover)
            rename_trainer(rewrite, read.site)
            items = self._config_literal(read)
            function_argument(rewrite, read.site, read.arguments["lightning_config"], name, items)
        self._place(text)

    def _settle_values(self) -> None:
        config = self.config
        overwritten = set(map(id, config.overwritten))
        ignored = {id(config.trainer[name]) for name in (*_IGNORED, "enable_checkpointing") if name in config.trainer}
        checkpointing = {id(given): name for name, given in config.checkpointing.items()}
        hints = self._hints()
        for given in self._given():
            if id(given) in overwritten or id(given) in ignored:
                self.mover.discard(given.value, given.statement)
            elif id(given) in checkpointing and not self.reports.uses_checkpointing:
                self.mover.take(given.value, given.statement, hints[id(given)], on_driver=True)
            else:
                self.mover.take(given.value, given.statement, hints[id(given)])
        for name in _IGNORED:
            if name in config.trainer:
                self.rewrite.review("MT110", config.trainer[name].argument, f"`{name}=...`")

    def _hints(self) -> dict[int, str]:
        config = self.config
        hints = {id(given): "module_class" for given in [config.module_class] if given}
        for group in (config.module, config.trainer, config.fit, config.strategy, config.checkpointing):
            hints |= {id(given): name for name, given in group.items()}
        for name, splats in (("module", config.module_splats), ("fit", config.fit_splats), ("strategy", config.strategy_splats)):
            hints |= {id(given): f"{name}_kwargs" for given in splats}
        return hints

    def _resume_value(self) -> str | None:
        """How the train function reads `resume_from_checkpoint`, where the trainer was given one."""
        given = [read for read in self.group if not is_absent(read.arguments, "resume_from_checkpoint")]
        if not given or not self.rewrite.settings.strict_target:
            return None
        if len(self.group) > 1:
            raise Refusal("MT102", given[0].site.call, "several trainers share the configuration of one that resumes")
        argument = given[0].arguments["resume_from_checkpoint"]
        self.rewrite.arguments_of(given[0].site.call).remove(argument)
        return self.mover.add_config("resume_from_checkpoint", self.mover.on_driver(argument.value, ""))

    def _config_literal(self, read: _Site) -> str | None:
        if not self.mover.config:
            return None
        items = [f'"{key}": {value}' for key, value in self.mover.config.items()]
        line = f"{{{', '.join(items)}}}"
        indent = self.rewrite.arguments_of(read.site.call).indent
        if indent is None or ("\n" not in line and len(indent) + len(line) < 66):
            return line
        return "{\n" + "".join(f"{indent}{self.unit}{item},\n" for item in items) + indent + "}"

    def _function_lines(self, resume: str | None) -> list[str]:
        model = self.local("model", "lightning_module")
        trainer = self.local("trainer", "lightning_trainer")
        prepare = self.rewrite.class_named("ray.train.lightning.prepare_trainer")
        body = self.body
        config = self.config
        assert config.module_class is not None
        class_comments = self.comments.before(config.module_class.argument)
        lines = [f"{body}{comment}" for comment in class_comments]
        module = [*self._arguments(config.module), *self._splats(config.module_splats)]
        class_text = self.mover.in_worker(config.module_class.value, body)
        behind = self.comments.behind(config.module_class.argument)
        module_call = f"{body}{model} = {call(class_text, module, body, self.unit, before=f'{model} = ')}"
        lines.append(f"{module_call}  {behind}" if behind and "\n" not in module_call else module_call)
        if behind and "\n" in module_call:
            lines.insert(len(lines) - 1, f"{body}{behind}")
        lines.append(f"{body}{trainer} = {call(self.package.trainer, self._trainer_arguments(), body, self.unit, spread=True)}")
        lines.append(f"{body}{trainer} = {prepare}({trainer})")
        lines += self._fit_lines(model, trainer, resume)
        return lines

    def _arguments(self, values: dict[str, Given], *, but: tuple[str, ...] = ()) -> list[Argument]:
        return [
            Argument(
                self.mover.in_worker(given.value, self.body + self.unit),
                name,
                comments=self.comments.before(given.argument),
                trailing=self.comments.behind(given.argument),
            )
            for name, given in values.items()
            if name not in but
        ]

    def _splats(self, splats: list[Given]) -> list[Argument]:
        return [Argument(self.mover.in_worker(given.value, self.body + self.unit), star="**") for given in splats]

    def _trainer_arguments(self) -> list[Argument]:
        config, rewrite = self.config, self.rewrite
        arguments = self._arguments(config.trainer, but=_MERGED)
        if self._is_cpu_only():
            arguments = [argument for argument in arguments if argument.name != "accelerator"]
            arguments.append(Argument('"cpu"', "accelerator"))
        strategy_class = rewrite.class_named(f"ray.train.lightning.{legacy.STRATEGIES[config.strategy_name]}")
        strategy_arguments = [*self._arguments(config.strategy), *self._splats(config.strategy_splats)]
        inner = self.body + self.unit
        environment = f"{rewrite.class_named('ray.train.lightning.RayLightningEnvironment')}()"
        arguments += [
            Argument('"auto"', "devices"),
            Argument(
                call(
                    strategy_class,
                    self._deeper(config.strategy, strategy_arguments),
                    inner,
                    self.unit,
                    before="strategy=,",
                ),
                "strategy",
            ),
            self._extended("plugins", [environment]),
            self._extended("callbacks", self._report_callbacks()),
        ]
        if not self.reports.uses_model_checkpoint and not self._has_model_checkpoint():
            arguments.append(Argument("False", "enable_checkpointing"))
        return arguments

    def _deeper(self, values: dict[str, Given], arguments: list[Argument]) -> list[Argument]:
        """Arguments of a call that is itself an argument: one level further in."""
        deeper = self.body + self.unit * 2
        texts = {name: self.mover.in_worker(given.value, deeper) for name, given in values.items()}
        return [
            Argument(texts.get(argument.name or "", argument.value), argument.name, argument.star, argument.comments, argument.trailing)
            for argument in arguments
        ]

    def _is_cpu_only(self) -> bool:
        """Whether the workers have no GPU although `accelerator` would take one that the machine has."""
        accelerator = self.config.trainer.get("accelerator")
        if accelerator is not None:
            value = accelerator.value
            if not (isinstance(value, cst.SimpleString) and value.evaluated_value == "auto"):
                return False
        return all(
            uses_gpu(self.rewrite, read.arguments["scaling_config"].value if "scaling_config" in read.arguments else None)
            is False
            for read in self.group
        )

    def _extended(self, name: str, added: list[str]) -> Argument:
        """The user's list of callbacks or plugins with ours behind, as LightningTrainer appended to it."""
        given = self.config.trainer.get(name)
        if given is None:
            return Argument(f"[{', '.join(added)}]", name)
        before, behind = self.comments.before(given.argument), self.comments.behind(given.argument)
        inner = self.body + self.unit
        value = given.value
        if isinstance(value, cst.List):
            text = self._extended_list(value, added, inner, drop_environments=name == "plugins")
        else:
            text = f"[*{self.mover.in_worker(value, inner)}, {', '.join(added)}]"
        return Argument(text, name, comments=before, trailing=behind)

    def _extended_list(self, node: cst.List, added: list[str], indent: str, *, drop_environments: bool) -> str:
        elements = [
            element
            for element in node.elements
            if not (drop_environments and self.package.is_cluster_environment(element.value))
        ]
        kept = len(elements) == len(node.elements)
        text = self.mover.in_worker(node, indent)
        if not kept or not elements or "\n" not in text:
            texts = [
                ("*" if isinstance(element, cst.StarredElement) else "") + self.mover.in_worker(element.value, indent)
                for element in elements
            ]
            return f"[{', '.join([*texts, *added])}]"
        last = elements[-1]
        head, closing = text[: text.rindex("]")].rstrip(), text[text.rindex("]") :]
        has_comma = isinstance(last.comma, cst.Comma)
        tail_comment = "#" in head.rsplit("\n", 1)[-1]
        if "\n" not in text[len(head) :] or (tail_comment and not has_comma):
            separator = "," if not has_comma else ""
            if tail_comment:
                end = self.program.outer_span(last.value)[1] - self.program.outer_span(node)[1]
                head = text[: len(text) + end] + "," + text[len(text) + end :][: -len(closing)].rstrip()
                separator = ""
            if "\n" not in text[len(head) :]:
                return f"{head}{separator} {', '.join(added)}{closing}"
            return f"{head}{separator}\n{indent}{self.unit}" + f",\n{indent}{self.unit}".join(added) + f",\n{indent}{closing}"
        separator = "" if has_comma else ","
        lines = "".join(f"\n{indent}{self.unit}{item}," for item in added)
        return f"{head}{separator}{lines}\n{indent}{closing}"

    def _report_callbacks(self) -> list[str]:
        """The callback that reports, behind one that writes Lightning's own files where they were asked for."""
        rewrite = self.rewrite
        inner = self.body + self.unit * 2
        keywords = [
            Argument(self.mover.in_worker(given.value, inner + self.unit), name)
            for name, given in self.config.checkpointing.items()
            if name != "save_last"
        ]
        if self.reports.callback_class is not None:
            name = self.reports.define(rewrite, self.package, self.place)
            return [call(name, keywords, inner, self.unit)]
        callback = f"{rewrite.class_named('ray.train.lightning.RayTrainReportCallback')}()"
        if not self.reports.writes_files:
            return [callback]
        checkpoint = self.package.named("callbacks.ModelCheckpoint")
        return [call(checkpoint, [*keywords, Argument("True", "save_last")], inner, self.unit), callback]

    def _has_model_checkpoint(self) -> bool:
        """Whether the user's own callbacks hold, or may hold, a ModelCheckpoint, which needs checkpointing enabled."""
        given = self.config.trainer.get("callbacks")
        if given is None:
            return False
        if not isinstance(given.value, cst.List):
            return True
        return any(not self.package.is_no_checkpoint(element.value) for element in given.value.elements)

    def _fit_lines(self, model: str, trainer: str, resume: str | None) -> list[str]:
        config, body = self.config, self.body
        if not self.resumes:
            fit = call(f"{trainer}.fit", self._fit_arguments(model, body, None), body, self.unit)
            return [f"{body}{fit}"]
        checkpoint = self.local("checkpoint")
        folder = self.local("checkpoint_dir", "checkpoint_folder")
        path = self.local("ckpt_path", "checkpoint_path")
        get_checkpoint = f"{self.rewrite.function_named('ray.train.get_checkpoint')}()"
        inner, deeper = body + self.unit, body + self.unit * 2
        join = self.rewrite.imports.module("os") + ".path.join"
        source = f"{get_checkpoint} or {resume}" if resume else get_checkpoint
        lines = [f"{body}{checkpoint} = {source}", f"{body}if {checkpoint}:"]
        lines.append(f"{inner}with {checkpoint}.as_directory() as {folder}:")
        lines.append(f'{deeper}{path} = {join}({folder}, "{templates.LIGHTNING_CHECKPOINT}")')
        if resume:
            exists = self.rewrite.imports.module("os") + ".path.exists"
            lines.append(f"{deeper}if not {exists}({path}):")
            lines.append(f'{deeper}{self.unit}{path} = {join}({folder}, "model")  # as LightningTrainer wrote it')
        fit = call(f"{trainer}.fit", self._fit_arguments(model, deeper, path), deeper, self.unit)
        lines.append(f"{deeper}{fit}")
        lines.append(f"{body}else:")
        fresh = call(f"{trainer}.fit", self._fit_arguments(model, inner, None), inner, self.unit)
        lines.append(f"{inner}{fresh}")
        return lines

    def _fit_arguments(self, model: str, indent: str, path: str | None) -> list[Argument]:
        config = self.config
        arguments = [Argument(model)]
        arguments += [
            Argument(
                self.mover.in_worker(given.value, indent + self.unit),
                name,
                comments=self.comments.before(given.argument),
                trailing=self.comments.behind(given.argument),
            )
            for name, given in config.fit.items()
            if not (path and name == "ckpt_path")
        ]
        for given in config.fit_splats:
            text = self.mover.in_worker(given.value, indent + self.unit)
            arguments.append(Argument(f'{{**{text}, "ckpt_path": {path}}}' if path else text, star="**"))
        if path and not config.fit_splats:
            arguments.append(Argument(path, "ckpt_path"))
        return arguments

    def _place(self, text: str) -> None:
        """Put the function where the builder was, and the values that stay on the driver where they were."""
        program, rewrite = self.program, self.rewrite
        function = f"\n{self.indent}".join([*self.comments.rest(), text])
        lines = [line for statement in self.run or [self.place] for line in self.mover.hoisted.get(statement, [])]
        definitions = [*self.reports.definitions, function]
        rewrite.edits += definition(program, self.place, definitions, lines=lines, run=self.run)
        for statement in self.config.statements:
            if statement not in self.run:
                rewrite.edits.append(removal(program, statement, self.mover.hoisted.get(statement, [])))


def _names_in(node: cst.CSTNode) -> set[str]:
    if isinstance(node, cst.Name):
        return {node.value}
    return {name for child in node.children for name in _names_in(child)}
