"""When LightningTrainer reported, and whether Ray's own callback reports then too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import string
from migrate_trainers.writing import templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.lightning.builder import Given, LightningConfig
    from migrate_trainers.rules.lightning.flow import BuilderFlow
    from migrate_trainers.rules.lightning.package import LightningPackage
    from migrate_trainers.rules.rewrite import Rewrite

_CALLBACK_NAME = "ReportingModelCheckpoint"
_CHECKPOINTING_ARGUMENTS = frozenset(
    {
        "dirpath",
        "filename",
        "monitor",
        "verbose",
        "save_last",
        "save_top_k",
        "save_weights_only",
        "mode",
        "auto_insert_metric_name",
        "every_n_train_steps",
        "train_time_interval",
        "every_n_epochs",
        "save_on_train_epoch_end",
        "enable_version_counter",
    }
)
# Arguments that concern only the files which Lightning itself writes.
# Arguments that change when or what LightningTrainer reported, and their values that don't.
_SCHEDULE_ARGUMENTS = ("every_n_train_steps", "train_time_interval", "save_weights_only")
_NEUTRAL_VALUES: dict[str, tuple[object, ...]] = {
    "val_check_interval": (None, 1.0),
    "check_val_every_n_epoch": (1,),
    "fast_dev_run": (False, 0),
}
_FILE_ARGUMENTS = ("dirpath", "filename")


@dataclass
class Reports:
    """How the train function reports: by Ray's callback, or by a class that keeps the legacy schedule.

    `writes_files` says that a plain ModelCheckpoint must write Lightning's own files; `strategy_name` is None where it
    may be DeepSpeed's or another; `definitions` is the class's text once it is asked for.
    """

    needs_callback_class: bool
    writes_files: bool
    strategy_name: str | None
    checkpoint_file: str = templates.LIGHTNING_CHECKPOINT
    definitions: list[str] = field(default_factory=list)

    @property
    def uses_model_checkpoint(self) -> bool:
        return self.needs_callback_class or self.writes_files

    @property
    def uses_checkpointing(self) -> bool:
        """Whether the values of `.checkpointing(...)` are read in the train function."""
        return self.uses_model_checkpoint

    def define_callback(self, rewrite: Rewrite, package: LightningPackage, place: Statement) -> str:
        """Write the class; returns the name under which the train function constructs it."""

        def text(name: str) -> str:
            return templates.LIGHTNING_CALLBACK.format(
                name=name,
                model_checkpoint=package.named("callbacks.ModelCheckpoint"),
                checkpoint=self.checkpoint_file,
                checkpoint_class=rewrite.class_named("ray.train.Checkpoint"),
                report=rewrite.function_named("ray.train.report"),
                owns_checkpoint=f"{self._rank(rewrite)} == 0",
                os=rewrite.imports.module("os"),
                shutil=rewrite.imports.module("shutil"),
                tempfile=rewrite.imports.module("tempfile"),
            )

        name, self.definitions = rewrite.own_definition(_CALLBACK_NAME, place, text)
        return name

    def _rank(self, rewrite: Rewrite) -> str:
        """The rank whose zero reports the checkpoint: with DeepSpeed one process of each node had."""
        if self.strategy_name is not None:
            return "trainer.local_rank" if self.strategy_name == "deepspeed" else "trainer.global_rank"
        deepspeed = rewrite.class_named("ray.train.lightning.RayDeepSpeedStrategy")
        return f"(trainer.local_rank if isinstance(trainer.strategy, {deepspeed}) else trainer.global_rank)"


def read_reports(rewrite: Rewrite, config: LightningConfig) -> Reports:
    """Decide between Ray's callback and one that keeps the legacy reports; raises `Refusal`."""
    for name, given in config.checkpointing.items():
        if name not in _CHECKPOINTING_ARGUMENTS:
            raise Refusal("MT106", given.argument, f"`ModelCheckpoint` has no argument `{name}`")
    reasons = list(_reasons(rewrite.program, config))
    for node, reason in reasons:
        rewrite.review("MT111", node, reason)
    assert config.module_class is not None
    if not reasons and not _sees_class(rewrite.program, config.module_class.value):
        rewrite.review("MT114", config.module_class.value, "it is defined elsewhere")
    writes_files = any(name in config.checkpointing for name in _FILE_ARGUMENTS)
    return Reports(bool(reasons), writes_files, config.strategy_name, checkpoint_file(rewrite.program))


def read_flow_reports(rewrite: Rewrite, flow: BuilderFlow) -> Reports:
    """The same decision where any of the builder's calls may or may not be made."""
    program = rewrite.program
    checkpointing, trainer = flow.keywords("checkpointing"), flow.keywords("trainer")
    for name, arguments in checkpointing.items():
        if name not in _CHECKPOINTING_ARGUMENTS:
            raise Refusal("MT106", arguments[0], f"`ModelCheckpoint` has no argument `{name}`")
    reasons: list[tuple[cst.CSTNode, str]] = []
    for method, keywords, names in (
        ("checkpointing", checkpointing, _SCHEDULE_ARGUMENTS),
        ("trainer", trainer, tuple(_NEUTRAL_VALUES)),
    ):
        reasons += [(keywords[name][0], f"`.{method}({name}=...)`") for name in names if name in keywords]
        if flow.unpacks(method):
            call = next((one.call for one in flow.calls if one.method == method), flow.place)
            reasons.append((call, f"`.{method}(**...)` may hold settings of the schedule"))
    classes = [argument.value for argument in flow.keywords("module").get("cls", ())]
    reasons += _reasons_in_code(program, classes)
    for node, reason in reasons:
        rewrite.review("MT111", node, reason)
    if not reasons and not all(_sees_class(program, node) for node in classes):
        rewrite.review("MT114", classes[0], "it is defined elsewhere")
    chosen = [string(setting.value) for setting in flow.keywords("strategy").get("name", ())]
    strategy = None if flow.unpacks("strategy") or {"deepspeed", None} & set(chosen) else "ddp"
    writes_files = any(name in checkpointing for name in _FILE_ARGUMENTS)
    return Reports(bool(reasons), writes_files, strategy, checkpoint_file(program))


def _reasons(program: Program, config: LightningConfig) -> Iterator[tuple[cst.CSTNode, str]]:
    """What makes the legacy reports differ from one at the end of each epoch."""
    checkpointing, trainer = config.checkpointing, config.trainer
    for name in _SCHEDULE_ARGUMENTS:
        if name in checkpointing and not _is_literal(checkpointing[name], None, False, 0):
            yield checkpointing[name].argument, f"`.checkpointing({name}=...)`"
    for name, values in _NEUTRAL_VALUES.items():
        if name in trainer and not _is_literal(trainer[name], *values):
            yield trainer[name].argument, f"`.trainer({name}=...)`"
    assert config.module_class is not None
    yield from _reasons_in_code(program, [config.module_class.value])


def checkpoint_file(program: Program) -> str:
    """The file's name in checkpoints: the old one where the script opens it."""
    if next(_model_file_readers(program), None) is not None:
        return templates.LEGACY_LIGHTNING_CHECKPOINT
    return templates.LIGHTNING_CHECKPOINT


def _model_file_readers(program: Program) -> Iterator[cst.CSTNode]:
    """Strings that name a folder's file `model`: `join(folder, "model")`, `folder / "model"`, `f"{folder}/model"`."""
    name = templates.LEGACY_LIGHTNING_CHECKPOINT
    for node in program.strings:
        parent = program.parent(node)
        if isinstance(node, cst.FormattedString):
            last = node.parts[-1] if node.parts else None
            if isinstance(last, cst.FormattedStringText) and last.value.endswith(f"/{name}"):
                yield node
        elif string(node) == name and isinstance(parent, cst.BinaryOperation):
            if isinstance(parent.operator, cst.Divide):
                yield node
        elif string(node) == name and isinstance(parent, cst.Arg):
            call = program.parent(parent)
            if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and "join" in call.func.attr.value:
                yield node
        elif (string(node) or "").endswith(f"/{name}"):
            yield node


def _hook_readers(program: Program) -> Iterator[cst.CSTNode]:
    """Where the metric is read that names the hook of a report: `metrics["_report_on"]`, `frame._report_on`."""
    yield from (node for node in program.strings if string(node) == legacy.HOOK_METRIC)
    yield from (node for node in program.attributes if node.attr.value == legacy.HOOK_METRIC)


def _reasons_in_code(program: Program, classes: Iterable[cst.BaseExpression]) -> Iterator[tuple[cst.CSTNode, str]]:
    """Reasons that lie in the file's code: what the script opens and reads, and what the module logs."""
    for reader in _model_file_readers(program):
        yield reader, "the script opens the file `model` of a checkpoint"
        break
    for reader in _hook_readers(program):
        yield reader, "the script reads the metric `_report_on`"
        break
    for node in classes:
        for owner, definition in _module_classes(program, node):
            method = _logging_hook(definition)
            if method is not None:
                place = method.name if owner is program else node
                yield place, "the module logs in `on_train_epoch_end`, which runs after Ray's callback"
                return


def _is_literal(given: Given, *values: object) -> bool:
    node = given.value
    if isinstance(node, cst.Name):
        constants: dict[str, object] = {"None": None, "False": False, "True": True}
        return node.value in constants and any(constants[node.value] is value for value in values)
    if isinstance(node, cst.Integer | cst.Float):
        number = node.evaluated_value
        return any(number == value and type(number) is type(value) for value in values if not isinstance(value, bool))
    return False


def _module_classes(program: Program, module_class: cst.BaseExpression) -> Iterator[tuple[Program, cst.ClassDef]]:
    """The module's class and its bases, as far as this file and others of its tree define them."""
    pending = [(program, module_class)]
    seen: set[cst.ClassDef] = set()
    while pending:
        user, node = pending.pop()
        for owner, binding in user.definitions(node):
            if isinstance(binding.node, cst.ClassDef) and binding.node not in seen:
                seen.add(binding.node)
                yield owner, binding.node
                pending += [(owner, base.value) for base in binding.node.bases]


def _sees_class(program: Program, module_class: cst.BaseExpression) -> bool:
    """Whether all code of the module's class, but for Lightning's own, can be read."""
    classes = list(_module_classes(program, module_class))
    if not classes:
        return False
    for owner, definition in classes:
        for base in definition.bases:
            name = owner.qualified_name(base.value) or ""
            known = any(isinstance(binding.node, cst.ClassDef) for _, binding in owner.definitions(base.value))
            if not known and not name.endswith(".LightningModule"):
                return False
    return True


def _logging_hook(definition: cst.ClassDef) -> cst.FunctionDef | None:
    for statement in definition.body.body:
        if isinstance(statement, cst.FunctionDef) and statement.name.value == "on_train_epoch_end":
            return statement if _logs(statement) else None
    return None


def _logs(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.Attribute) and node.attr.value in ("log", "log_dict"):
        return True
    return any(_logs(child) for child in node.children)
