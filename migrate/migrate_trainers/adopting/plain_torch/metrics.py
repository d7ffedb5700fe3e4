"""What an epoch prints or logs is what it reports: `print(f"epoch {epoch}: loss {loss:.4f}")`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.plain_torch.numbers import Numbers
from migrate_trainers.adopting.plain_torch.variables import calls_of, function_called, names_below
from migrate_trainers.rules.first_process import asks_for_first
from migrate_trainers.rules.literals import string
from migrate_trainers.writing.placement import below
from migrate_trainers.writing.render import Argument, sequence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeGuard

    from migrate_trainers.adopting.plain_torch.loops import TorchLoop
    from migrate_trainers.adopting.plain_torch.model import BareModel
    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import Rewrite

# What stands before a figure: `, Val loss: `, or a word alone.
_LABEL = re.compile(r"(?:([A-Za-z][\w \-]*?)\s*[:=]|([A-Za-z]\w*))\s*$")
_ESCAPE = re.compile(r"\\.")
Epoch = cst.For | cst.FunctionDef
_NUMERIC = re.compile(r"[^a-zA-Z]*[deEfFgG%]")
_FIELD = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?([sdifeEgG])")
_LOGS = frozenset({"append", "critical", "debug", "echo", "info", "log", "log_metrics", "warning", "write"})


@dataclass(frozen=True)
class Metric:
    """One figure that a line shows: its name, the text of its value, and the names that this reads."""

    key: str
    text: str
    names: tuple[cst.Name, ...]


@dataclass(frozen=True)
class Report:
    """What an epoch shows, and the statement behind which it reports that; `function` is the one that this is in."""

    statement: Statement
    shown: cst.Call
    metrics: tuple[Metric, ...]
    function: cst.FunctionDef | None


def read_reports(program: Program, loop: TorchLoop) -> list[Report]:
    """What the epochs of a training show, themselves or in the last of the functions that they call that does."""
    found = []
    for epochs in loop.epochs:
        blocks: list[Epoch] = [epochs] if isinstance(epochs, cst.For) else []
        called = (_called_alone(program, line) for line in epochs.body.body)
        blocks += reversed([function for function in called if function is not None])
        reports = (_report(program, block) for block in blocks)
        found += [report for report in reports if report is not None][:1]
    return found


def write_reports(rewrite: Rewrite, loop: TorchLoop, reports: Sequence[Report], model: BareModel) -> None:
    """Note the edits that report, with a checkpoint of the model: Ray keeps the metrics of such reports only."""
    program = rewrite.program
    for report in reports:
        name = model.name_in(report.function)
        if name is None:
            continue
        items = [Argument(f'"{one.key}": {one.text}') for one in report.metrics]
        text = _text(rewrite, name, items, program.indent(report.statement))
        rewrite.edits.append(below(program, report.statement, text))
        rewrite.review("MT636", report.shown, f"`{program.text(report.shown).splitlines()[0]}`")
    if all(model.name_in(report.function) is None for report in reports):
        rewrite.review("MT635", min(loop.runs, key=program.span), "")


def warn_of_early_ends(rewrite: Rewrite, loop: TorchLoop) -> None:
    """Say where an epoch may be one worker's last, on which the others wait."""
    program = rewrite.program
    for epochs in loop.epochs:
        for end in _breaks(epochs.body):
            if program.loop_around(end) is epochs:
                rewrite.review("MT636", end, "`break` has to come in all workers at once")


def _breaks(node: cst.CSTNode) -> list[cst.Break]:
    if isinstance(node, cst.Break):
        return [node]
    return [found for child in node.children for found in _breaks(child)]


def _text(rewrite: Rewrite, model: str, items: Sequence[Argument], indent: str) -> str:
    unit = rewrite.program.module.default_indent
    folder, checkpoint = rewrite.new_name("folder", "checkpoint_folder"), rewrite.new_name("checkpoint")
    module, report = rewrite.imports.module, rewrite.function_named("ray.train.report")
    metrics = rewrite.new_name("metrics")
    return f"\n{indent}".join(
        [
            f"{metrics} = {sequence('{', items, '}', indent, unit, before=f'{metrics} = ')}",
            f"with {module('tempfile')}.TemporaryDirectory() as {folder}:",
            f"{unit}{checkpoint} = None",
            f"{unit}if {rewrite.function_named('ray.train.get_context')}().get_world_rank() == 0:",
            f'{unit * 2}{module("torch")}.save({model}.state_dict(), {module("os")}.path.join({folder}, "model.pt"))',
            f"{unit * 2}{checkpoint} = {rewrite.function_named('ray.train.Checkpoint')}.from_directory({folder})",
            f"{unit}{report}({metrics}, checkpoint={checkpoint})",
        ]
    )


def _called_alone(program: Program, line: cst.CSTNode) -> cst.FunctionDef | None:
    """The function that a statement of an epoch calls, if nothing else does."""
    small = line.body[0] if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 else None
    value = small.value if isinstance(small, cst.Expr | cst.Assign) else None
    function = function_called(program, value) if isinstance(value, cst.Call) else None
    return function if function is not None and len(calls_of(program, function)) == 1 else None


def _report(program: Program, epoch: Epoch) -> Report | None:
    """What a block shows in its own statements, up to the last one at which all of it holds."""
    if not isinstance(epoch.body, cst.IndentedBlock):
        return None
    target = epoch.target.value if isinstance(epoch, cst.For) and isinstance(epoch.target, cst.Name) else ""
    metrics: dict[str, Metric] = {}
    last: tuple[Statement, cst.Call] | None = None
    for line in epoch.body.body:
        if last is not None and _rebinds(program, metrics, line):
            break
        for call in _shows(program, line):
            for one in _metrics(program, epoch, target, call):
                metrics.setdefault(one.key, one)
                last = program.statement(line), call
    if last is None or all(key == target for key in metrics):
        return None
    ordered = sorted(metrics.values(), key=lambda one: program.span(one.names[0]))
    function = epoch if isinstance(epoch, cst.FunctionDef) else program.enclosing(epoch, cst.FunctionDef)
    return Report(*last, tuple(ordered), function)


def _rebinds(program: Program, metrics: dict[str, Metric], line: cst.CSTNode) -> bool:
    """Whether a statement gives another value to what is to be reported behind it."""
    names = [name for metric in metrics.values() for name in metric.names]
    return any(program.contains(line, one.node) for name in names for one in program.bindings(name))


def _shows(program: Program, line: cst.CSTNode) -> Iterator[cst.Call]:
    """The calls by which a statement of an epoch prints or logs something, be it in the first process only."""
    if isinstance(line, cst.If) and line.orelse is None and asks_for_first(program, line.test, by_name=True):
        for inner in line.body.body:
            yield from _shows(program, inner)
    if not isinstance(line, cst.SimpleStatementLine):
        return
    for small in line.body:
        call = small.value if isinstance(small, cst.Expr) else None
        if isinstance(call, cst.Call) and _prints(program, call):
            yield call


def _prints(program: Program, call: cst.Call) -> bool:
    if isinstance(call.func, cst.Attribute):
        return call.func.attr.value in _LOGS
    return program.is_builtin(call.func, "print")


def _metrics(program: Program, epoch: Epoch, target: str, call: cst.Call) -> Iterator[Metric]:
    for argument in call.args:
        value = argument.value
        if isinstance(value, cst.Call) and program.qualified_name(value.func) == "json.dumps" and value.args:
            value = value.args[0].value
        if isinstance(value, cst.Dict):
            yield from _of_dictionary(program, epoch, value)
        for text in _formatted(value):
            yield from _figures(program, epoch, target, _parts(text))
        if _is_formatting(value):
            yield from _figures(program, epoch, target, _parts_of_call(value))
        if isinstance(value, cst.BinaryOperation) and isinstance(value.operator, cst.Modulo):
            yield from _figures(program, epoch, target, _parts_of_modulo(value))
    if program.is_builtin(call.func, "print"):
        yield from _figures(program, epoch, target, _parts_of_print(call))


def _formatted(value: cst.BaseExpression) -> Iterator[cst.FormattedString]:
    if isinstance(value, cst.FormattedString):
        yield value
    elif isinstance(value, cst.ConcatenatedString):
        yield from _formatted(value.left)
        yield from _formatted(value.right)


def _of_dictionary(program: Program, epoch: Epoch, value: cst.Dict) -> Iterator[Metric]:
    for entry in value.elements:
        key = string(entry.key) if isinstance(entry, cst.DictElement) else None
        if key is not None:
            yield from _metric(program, epoch, key, entry.value, is_number=False)


# What stands before a figure, what it is, and how it is written.
Part = tuple[str, cst.BaseExpression, str]


def _parts(text: cst.FormattedString) -> Iterator[Part]:
    before = ""
    for part in text.parts:
        if isinstance(part, cst.FormattedStringText):
            before = part.value
        elif isinstance(part, cst.FormattedStringExpression):
            spec = "".join(one.value for one in part.format_spec or () if isinstance(one, cst.FormattedStringText))
            yield before, part.expression, spec
            before = ""


def _is_formatting(value: cst.BaseExpression) -> TypeGuard[cst.Call]:
    """Whether an expression is `"{:.3f}".format(loss)`, with values in their order."""
    if not isinstance(value, cst.Call) or any(one.star or one.keyword for one in value.args):
        return False
    function = value.func
    return (
        isinstance(function, cst.Attribute) and function.attr.value == "format" and string(function.value) is not None
    )


def _parts_of_call(call: cst.Call) -> Iterator[Part]:
    assert isinstance(call.func, cst.Attribute)
    try:
        parsed = list(Formatter().parse(string(call.func.value) or ""))
    except ValueError:
        return
    fields = [(before, spec or "") for before, field, spec, _ in parsed if field is not None]
    if len(fields) == len(call.args) and not any(field for _, field, _, _ in parsed):
        for (before, spec), argument in zip(fields, call.args, strict=True):
            yield before, argument.value, spec


def _parts_of_modulo(value: cst.BinaryOperation) -> Iterator[Part]:
    """The figures of `"loss %.3f" % loss`, with values in their order."""
    text = string(value.left) or ""
    given = value.right
    values = [one.value for one in given.elements] if isinstance(given, cst.Tuple) else [given]
    fields = list(_FIELD.finditer(text))
    is_unpacked = isinstance(given, cst.Tuple) and any(isinstance(one, cst.StarredElement) for one in given.elements)
    if len(fields) != len(values) or "%%" in text or is_unpacked:
        return
    start = 0
    for field, one in zip(fields, values, strict=True):
        yield text[start : field.start()], one, field[1].replace("i", "d").replace("s", "")
        start = field.end()


def _parts_of_print(call: cst.Call) -> Iterator[Part]:
    """The figures of `print("loss", loss)`."""
    before = ""
    for argument in call.args:
        if argument.keyword is None and not argument.star and string(argument.value) is None:
            yield before, argument.value, ""
        before = string(argument.value) or ""


def _figures(program: Program, epoch: Epoch, target: str, parts: Iterable[Part]) -> Iterator[Metric]:
    """The figures of a text that have a name: that of their variable, or what the text calls them."""
    for before, value, spec in parts:
        named = _LABEL.search(_ESCAPE.sub(" ", before))
        names = list(names_below(value))
        shown = _without_item(value)
        if isinstance(shown, cst.Name):
            key = shown.value
        elif names and all(name.value == target for name in names):
            key = names[0].value
        elif named is not None:
            key = re.sub(r"\W+", "_", (named[1] or named[2]).strip().lower())
        else:
            continue
        yield from _metric(program, epoch, key, value, is_number=_NUMERIC.fullmatch(spec) is not None)


def _metric(
    program: Program, epoch: Epoch, key: str, value: cst.BaseExpression, *, is_number: bool
) -> Iterator[Metric]:
    """A figure that changes from epoch to epoch, if the text of its value gives the same once more."""
    numbers = Numbers(program, epoch)
    names = tuple(name for name in names_below(value) if numbers.changes(name))
    text = program.text(value)
    if not names or not numbers.can_be_repeated(value) or "\n" in text:
        return
    if numbers.is_number(value):
        yield Metric(key, text, names)
    elif is_number:
        yield Metric(key, f"float({text})", names)


def _without_item(node: cst.BaseExpression) -> cst.BaseExpression:
    """`loss` for `loss.item()`."""
    is_item = isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "item"
    return node.func.value if is_item and isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) else node
