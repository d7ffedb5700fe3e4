"""`pl.Trainer(...).fit(...)` in each worker, as Ray's getting-started guide for PyTorch Lightning writes it.

trainer = pl.Trainer(devices=1, ...)     trainer = pl.Trainer(devices="auto", accelerator="auto",
                                             strategy=RayDDPStrategy(), plugins=[RayLightningEnvironment()],
                                             callbacks=[RayTrainReportCallback()], ...)
                                         trainer = prepare_trainer(trainer)
trainer.fit(model)                       trainer.fit(model)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.framework import Entry, Framework, Reader
from migrate_trainers.adopting.lightning_strategies import ray_strategy
from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import lightning_name
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.literals import is_none, string
from migrate_trainers.rules.tuning.reach import assigned_variable, uses_of
from migrate_trainers.writing.arguments import keyword_argument

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.adopting.region import Region
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

_TRAINERS = frozenset({"Trainer", "trainer.Trainer", "trainer.trainer.Trainer"})
_RAY = ("ray.train.lightning.", "train_runtime.lightning.")


def entries(program: Program) -> list[Entry]:
    """The trainers of a program that are not Ray's yet, with the calls that they are asked for."""
    found = []
    for call in program.calls:
        if lightning_name(program.qualified_name(call.func)) not in _TRAINERS or _is_prepared(program, call):
            continue
        runs = tuple(_runs(program, call))
        if not runs:
            raise Refusal("MT601", call.func, "nothing in the file trains with it")
        found.append(Entry(call, runs))
    return found


def _is_prepared(program: Program, call: cst.Call) -> bool:
    strategy = keyword_argument(call, "strategy")
    name = program.qualified_name(strategy.value.func) if strategy and isinstance(strategy.value, cst.Call) else None
    return name is not None and name.startswith(_RAY)


def _runs(program: Program, call: cst.Call) -> Iterator[cst.CSTNode]:
    """The calls of a trainer's methods, and those that are given the trainer."""
    for held in _holders(program, call):
        parent = program.parent(held)
        above = program.parent(parent) if parent is not None else None
        if (isinstance(parent, cst.Attribute) and isinstance(above, cst.Call) and above.func is parent) or (
            isinstance(parent, cst.Arg) and isinstance(above, cst.Call)
        ):
            yield above


def _holders(program: Program, call: cst.Call) -> list[cst.BaseExpression]:
    """The call itself where it is used at once, else the names of the variable that it is assigned to."""
    if isinstance(program.parent(call), cst.Attribute | cst.Arg):
        return [call]
    variable = assigned_variable(program, call)
    if variable is None:
        raise Refusal("MT601", call.func, "it is not assigned to a variable of its own")
    return list(uses_of(program, variable))


def adopt(rewrite: Rewrite, region: Region, entry: Entry) -> Sequence[str]:
    """Have a trainer use what Ray has set up in each worker."""
    call = entry.node
    assert isinstance(call, cst.Call)
    _change_arguments(rewrite, call)
    _prepare(rewrite, call)
    return ()


def _change_arguments(rewrite: Rewrite, call: cst.Call) -> None:
    arguments = rewrite.arguments_of(call)
    for argument in call.args:
        if argument.star or argument.keyword is None:
            raise Refusal("MT602", argument, "")
    for name in ("devices", "accelerator"):
        given = keyword_argument(call, name)
        if given is None:
            arguments.append(lambda indent, name=name: f'{name}="auto"')  # type: ignore[misc]
        elif string(given.value) != "auto":
            arguments.replace(given, f'{name}="auto"')
    strategy = keyword_argument(call, "strategy")
    text = ray_strategy(rewrite, strategy)
    if strategy is None:
        arguments.append(lambda indent: f"strategy={text}")
    else:
        arguments.replace(strategy, f"strategy={text}")
    environment = f"{rewrite.class_named('ray.train.lightning.RayLightningEnvironment')}()"
    _extend(rewrite, call, "plugins", environment)
    _extend(rewrite, call, "callbacks", f"{rewrite.class_named('ray.train.lightning.RayTrainReportCallback')}()")
    _keep_order(rewrite, call)
    arguments.spread()


def _keep_order(rewrite: Rewrite, call: cst.Call) -> None:
    """Let a single worker read the data in the order in which the script has read it on one device."""
    if keyword_argument(call, "use_distributed_sampler") is not None or _is_distributed(call):
        return
    adoption = rewrite.settings.adoption
    assert adoption is not None
    detail = "Lightning shuffles the training data and deals it out to the workers"
    if adoption.num_workers == 1:
        size = f"{rewrite.function_named('ray.train.get_context')}().get_world_size()"
        rewrite.arguments_of(call).append(lambda indent: f"use_distributed_sampler={size} > 1")
        detail = "with several workers, Lightning shuffles the training data and deals it out to them"
    rewrite.review("MT604", call.func, detail)


def _is_distributed(call: cst.Call) -> bool:
    """Whether a trainer trained in several processes before, or may have, and so dealt its data out already."""
    strategy = keyword_argument(call, "strategy")
    return strategy is not None and not is_none(strategy.value) and string(strategy.value) != "auto"


def _extend(rewrite: Rewrite, call: cst.Call, name: str, item: str) -> None:
    """Put an object behind those that the trainer is given already."""
    arguments = rewrite.arguments_of(call)
    given = keyword_argument(call, name)
    if given is None:
        arguments.append(lambda indent: f"{name}=[{item}]")
    elif is_none(given.value):
        arguments.replace(given, f"{name}=[{item}]")
    elif isinstance(given.value, cst.List):
        text = rewrite.program.text(given.value)
        inner = text[1:-1].rstrip()
        separator = "" if not inner.strip() else " " if inner.endswith(",") else ", "
        arguments.replace(given, f"{name}=[{inner}{separator}{item}]")
    else:
        arguments.replace(given, f"{name}=[*{rewrite.program.text(given.value)}, {item}]")


def _prepare(rewrite: Rewrite, call: cst.Call) -> None:
    """Let Ray check the trainer, before it is used."""
    program = rewrite.program
    prepare = rewrite.class_named("ray.train.lightning.prepare_trainer")
    variable = assigned_variable(program, call)
    if variable is None:
        start, end = program.outer_span(call)
        rewrite.edits += [Edit(start, start, f"{prepare}("), Edit(end, end, ")")]
        return
    statement = program.statement(call)
    end = program.source.line_end(program.span(statement)[1])
    line = f"{program.indent(statement)}{variable.name} = {prepare}({variable.name})\n"
    rewrite.edits.append(Edit(end, end, line))


def readers(program: Program, entries: Sequence[Entry]) -> list[Reader]:
    """What is read of the metrics after the last `fit`, which the last report has too."""
    found = []
    for entry in entries:
        assert isinstance(entry.node, cst.Call)
        if not _ends_with_fit(program, entry):
            continue
        for held in _holders(program, entry.node):
            attribute = program.parent(held)
            if isinstance(attribute, cst.Attribute) and attribute.attr.value == "callback_metrics":
                found.append(_metrics_reader(program, attribute))
    return [reader for reader in found if reader is not None]


def _ends_with_fit(program: Program, entry: Entry) -> bool:
    last = entry.runs[-1]
    return isinstance(last, cst.Call) and isinstance(last.func, cst.Attribute) and last.func.attr.value == "fit"


def _metrics_reader(program: Program, metrics: cst.Attribute) -> Reader | None:
    """`trainer.callback_metrics["loss"]`, and the number in it."""
    item = program.parent(metrics)
    if not isinstance(item, cst.Subscript) or item.value is not metrics:
        return None
    text = f"{{result}}.metrics{program.source.slice(program.span(metrics)[1], program.span(item)[1])}"
    node: cst.BaseExpression = item
    while True:
        attribute = program.parent(node)
        call = program.parent(attribute) if isinstance(attribute, cst.Attribute) else None
        if not isinstance(call, cst.Call) or call.func is not attribute or call.args:
            return Reader(node, text)
        assert isinstance(attribute, cst.Attribute)
        if attribute.attr.value not in ("item", "cpu", "detach", "numpy", "tolist"):
            return Reader(node, text)
        node = call


FRAMEWORK = Framework("MT600", entries, adopt, readers)
