"""The order of effects: what a trial can't evaluate is evaluated before the statement that it stood in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.configs import config_class
from migrate_trainers.writing.render import as_statement_value, relocated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.reading.source import Edit
    from migrate_trainers.rules.tuning.sites import TunedTrainer

Given = tuple[cst.BaseExpression, "Statement"]


@dataclass(frozen=True)
class Line:
    """A statement to stand before another: `render` gives its text with all other edits, `offset` is where it was."""

    offset: int
    render: Callable[[Sequence[Edit]], str]


def lines_at(offset: int, texts: Sequence[str]) -> list[Line]:
    """Lines whose texts are settled."""
    return [Line(offset, partial(_text, text)) for text in texts]


def _text(text: str, _: Sequence[Edit]) -> str:
    return text


def line_of(program: Program, value: cst.BaseExpression, variable: str | None = None) -> Line:
    """The line that evaluates a value, and keeps it in a variable if there is one."""
    indent = program.indent(program.statement(value))

    def render(others: Sequence[Edit]) -> str:
        start, end = program.outer_span(value)
        # Not the keyword that may have been put in front of it, nor the variable that took its place.
        inside = [edit for edit in others if edit.end > start and (edit.start > start or edit.end < end)]
        text = relocated(program, value, indent, edits=inside)
        return text if variable is None else f"{variable} = {as_statement_value(text)}"

    return Line(program.span(value)[0], render)


# An expression, and when it is evaluated from now on: before its statement or in it, by which argument, and where.
_Effect = tuple[cst.BaseExpression, tuple[int, int, int]]


def effects_in(program: Program, value: cst.BaseExpression, statement: Statement) -> Iterator[cst.BaseExpression]:
    """The parts of a value that do something, or may do so, in order of evaluation; Ray's own configurations don't."""
    analysis = ValueAnalysis(program, statement)
    for part in analysis.immovable_parts(value):
        if isinstance(part, cst.Call) and _only_keeps_arguments(program, part):
            for argument in part.args:
                yield from effects_in(program, argument.value, statement)
        elif not analysis.only_reads(part):
            yield part


def _only_keeps_arguments(program: Program, call: cst.Call) -> bool:
    qualified = program.qualified_name(call.func) or ""
    is_config = config_class(program, call) is not None or qualified in legacy.TORCH_CONFIGS
    return is_config or qualified.startswith("ray.tune.")


def start_of(program: Program, statement: Statement, values: Sequence[Given]) -> int:
    """Where the first of the values that a statement holds starts: what they do is done there."""
    starts = [program.span(value)[0] for value, place in values if place is statement]
    return min(starts, default=program.span(statement)[0])


def check_order(
    program: Program, tuned: TunedTrainer, values: Sequence[Given], hoisted: Sequence[cst.BaseExpression]
) -> None:
    """Raise `Refusal` where one effect would come before another that it stands behind.

    `values` are those that reach the train function, `hoisted` those of Tuners' RunConfigs that don't stay there.
    """
    for statement in {tuned.site.statement, *(tuner.statement for tuner in tuned.tuners)}:
        effects = [*_early(program, statement, values), *_others(program, tuned, statement, values, hoisted)]
        effects.sort(key=lambda effect: program.span(effect[0])[0])
        for (_, before), (part, behind) in pairwise(effects):
            if behind < before:
                raise Refusal("MT501", part, "it would be evaluated before what stands in front of it")


def _early(program: Program, statement: Statement, values: Sequence[Given]) -> Iterator[_Effect]:
    """The effects of values that reach the train function: all where the first of them is."""
    first = start_of(program, statement, values)
    for value, place in values:
        for part in effects_in(program, value, place) if place is statement else ():
            yield part, (0, first, program.span(part)[0])


def _others(
    program: Program,
    tuned: TunedTrainer,
    statement: Statement,
    values: Sequence[Given],
    hoisted: Sequence[cst.BaseExpression],
) -> Iterator[_Effect]:
    """The effects of all other arguments of the trainer and its Tuners in a statement: those of Tuners may stay."""
    for call in (tuned.site.call, *(tuner.call for tuner in tuned.tuners)):
        for argument in call.args if program.statement(call) is statement else ():
            if program.contains(argument, tuned.site.call):
                continue
            value = argument.value
            if value in tuned.made_trainable and isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute):
                value = value.func.value
            for part in effects_in(program, value, statement):
                if any(program.contains(part, one) or program.contains(one, part) for one, _ in values):
                    continue
                start = program.span(part)[0]
                stays = call is not tuned.site.call and not any(program.contains(one, part) for one in hoisted)
                yield part, (1, 0, start) if stays else (0, program.span(argument)[0], start)
