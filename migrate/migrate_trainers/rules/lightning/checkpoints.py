"""Which checkpoints are kept: LightningTrainer filled in a CheckpointConfig, TorchTrainer keeps all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.configs import ConfigCall, config_arguments, find_config_call
from migrate_trainers.rules.literals import is_none
from migrate_trainers.rules.trainer_call import is_absent
from migrate_trainers.writing.arguments import keyword_argument
from migrate_trainers.writing.render import Argument, call

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrate_trainers.rules.lightning.builder import Given, LightningConfig
    from migrate_trainers.rules.rewrite import CallSite, Rewrite
    from migrate_trainers.writing.mover import ValueMover

_CHECKPOINT_ARGUMENTS = ("save_top_k", "monitor", "mode")
# Ray 2.4 and 2.5 kept every checkpoint.
FIRST_THAT_FILLS_IN = (2, 6)


def keep_checkpoints(
    rewrite: Rewrite, site: CallSite, arguments: dict[str, cst.Arg], fill_in: Callable[[], FilledIn | None]
) -> None:
    """Write out the CheckpointConfig that the legacy constructor filled in; `fill_in` gives it if it is needed.

    None from it means that all checkpoints are kept, as TorchTrainer does. Raises `Refusal`.
    """
    if rewrite.settings.source < FIRST_THAT_FILLS_IN:
        return
    run_config = arguments.get("run_config")
    if is_absent(arguments, "run_config"):
        filled_in = fill_in()
        if filled_in is not None:
            if run_config is not None:
                rewrite.arguments_of(site.call).remove(run_config)
            rewrite.arguments_of(site.call).append(_new_run_config(rewrite, filled_in))
        return
    assert run_config is not None
    found = find_config_call(rewrite.program, run_config.value, "RunConfig")
    run_arguments = _checkpoint_arguments(rewrite, found.call) if found else None
    if found is None or run_arguments is None:
        filled_in = fill_in()
        if filled_in is not None:
            rewrite.review("MT112", run_config, f"`checkpoint_config={filled_in.line}`")
        return
    if not is_absent(run_arguments, "checkpoint_config"):
        own = find_config_call(rewrite.program, run_arguments["checkpoint_config"].value, "CheckpointConfig")
        if own is None:
            rewrite.review("MT112", run_arguments["checkpoint_config"], "unless the one given here says otherwise")
            return
        if not is_default(rewrite, own.call):
            return
    filled_in = fill_in()
    if filled_in is not None:
        _write_into(rewrite, site, run_config, found, run_arguments, filled_in)


def _checkpoint_arguments(rewrite: Rewrite, run_config: cst.Call) -> dict[str, cst.Arg] | None:
    """The arguments of a RunConfig as far as they can be seen, None where its `checkpoint_config` may be hidden."""
    arguments = config_arguments(rewrite, run_config)
    own = keyword_argument(run_config, "checkpoint_config")
    return {"checkpoint_config": own} if arguments is None and own is not None else arguments


def _write_into(
    rewrite: Rewrite,
    site: CallSite,
    run_config: cst.Arg,
    found: ConfigCall,
    run_arguments: dict[str, cst.Arg],
    filled_in: FilledIn,
) -> None:
    """Give the RunConfig its `checkpoint_config`: where it is made, or in a copy if it is shared or made too early."""
    unit = rewrite.program.module.default_indent
    shared = found.variable is not None and (
        len(rewrite.program.uses(found.variable)) > 1
        or not filled_in.is_literal
        or rewrite.program.loop_around(site.call) is not rewrite.program.loop_around(found.call)
    )
    if shared:
        replace = rewrite.imports.name("dataclasses.replace")
        value = rewrite.program.outer_text(run_config.value)
        edits = rewrite.arguments_of(site.call)
        edits.spread()
        indent = edits.line_indent or edits.base_indent() + unit
        arguments = [
            Argument(value),
            Argument(filled_in.renderer(rewrite)(indent + unit)),
        ]
        edits.replace(run_config, "run_config=" + call(replace, arguments, indent, unit, before="run_config=,"))
        return
    edits = rewrite.arguments_of(found.call)
    if "checkpoint_config" in run_arguments:
        edits.remove(run_arguments["checkpoint_config"])
    edits.append(filled_in.renderer(rewrite))
    if found.variable is None and edits.spreads():
        rewrite.arguments_of(site.call).spread_around(edits)


def _new_run_config(rewrite: Rewrite, filled_in: FilledIn) -> Callable[[str], str]:
    name = rewrite.class_named("ray.train.RunConfig")
    unit = rewrite.program.module.default_indent

    checkpoint_config = filled_in.renderer(rewrite)

    def render(indent: str) -> str:
        inner = Argument(checkpoint_config(indent + unit))
        return "run_config=" + call(name, [inner], indent, unit, before="run_config=,")

    return render


@dataclass(frozen=True)
class FilledIn:
    """A `CheckpointConfig(...)` that the legacy constructor made; `is_literal` says that it reads no variables."""

    arguments: tuple[Argument, ...]
    is_literal: bool

    def renderer(self, rewrite: Rewrite) -> Callable[[str], str]:
        """A function that gives `checkpoint_config=CheckpointConfig(...)` for a line of some indentation."""
        name = rewrite.class_named("ray.train.CheckpointConfig")
        unit = rewrite.program.module.default_indent
        keyword = "checkpoint_config="
        return lambda indent: keyword + call(name, self.arguments, indent, unit, before=f"{keyword},")

    @property
    def line(self) -> str:
        return f"CheckpointConfig({', '.join(argument.text for argument in self.arguments)})"


def is_default(rewrite: Rewrite, call: cst.Call) -> bool:
    """Whether a CheckpointConfig says nothing, which the legacy constructor took for not given."""
    arguments = config_arguments(rewrite, call)
    if arguments is None:
        rewrite.review("MT112", call, "unless its arguments say otherwise")
        return False
    for name, argument in arguments.items():
        value = argument.value
        text = value.evaluated_value if isinstance(value, cst.SimpleString) else rewrite.program.text(value)
        if text != legacy.CHECKPOINT_CONFIG_DEFAULTS.get(name):
            return False
    return True


def filled_in_config(rewrite: Rewrite, site: CallSite, config: LightningConfig, mover: ValueMover) -> FilledIn | None:
    """`CheckpointConfig(...)` as the legacy constructor made it of `.checkpointing(...)`; None where all are kept."""
    given = {name: config.checkpointing[name] for name in _CHECKPOINT_ARGUMENTS if name in config.checkpointing}
    items = []
    keep = _checkpoints_to_keep(rewrite, site, given.get("save_top_k"), mover)
    if keep is not None:
        items.append(Argument(keep, "num_to_keep"))
    monitor = given.get("monitor")
    if monitor is not None and not is_none(monitor.value):
        items.append(Argument(_text(rewrite, site, monitor, mover), "checkpoint_score_attribute"))
        mode = given.get("mode")
        order = '"min"' if mode is None else _text(rewrite, site, mode, mover)
        items.append(Argument(order, "checkpoint_score_order"))
    literals = cst.SimpleString | cst.Integer | cst.UnaryOperation
    is_literal = all(isinstance(one.value, literals) or is_none(one.value) for one in given.values())
    return FilledIn(tuple(items), is_literal) if items else None


def _checkpoints_to_keep(rewrite: Rewrite, site: CallSite, given: Given | None, mover: ValueMover) -> str | None:
    if given is None:
        return "1"
    number = _integer(given.value)
    if number is not None:
        return None if number == -1 else str(max(number, 1))
    text = _text(rewrite, site, given, mover)
    operand = text if isinstance(given.value, cst.Name | cst.Attribute | cst.Subscript) else f"({text})"
    return f"None if {operand} == -1 else max({text}, 1)"


def _integer(node: cst.BaseExpression) -> int | None:
    if isinstance(node, cst.Integer):
        return node.evaluated_value
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        inner = _integer(node.expression)
        return None if inner is None else -inner
    return None


def _text(rewrite: Rewrite, site: CallSite, given: Given, mover: ValueMover) -> str:
    """A value's text in the trainer's call, where its names must mean what they meant to the builder."""
    program = rewrite.program
    scope = program.scope(site.call)
    for name in _names(given.value):
        if scope.lookup(name.value) != program.bindings(name):
            raise Refusal("MT102", name, f"`{name.value}` means something else where the trainer is made")
    return mover.on_driver(given.value, "")


def _names(node: cst.CSTNode) -> list[cst.Name]:
    if isinstance(node, cst.Name):
        return [node]
    if isinstance(node, cst.Attribute):
        return _names(node.value)
    return [name for child in node.children for name in _names(child)]
