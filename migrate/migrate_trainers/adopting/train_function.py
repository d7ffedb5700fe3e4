"""The edits that turn statements into a train function, and put the driver's lines where they stood."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.arguments import for_written, passed_values
from migrate_trainers.adopting.driver import driver_lines, driver_names
from migrate_trainers.adopting.text import moved_text, region_of_run, reindented, runs_of
from migrate_trainers.reading.source import Edit
from migrate_trainers.writing.placement import definition, missing_blank_lines, removal
from migrate_trainers.writing.render import LINE_LENGTH, names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from migrate_trainers.adopting.framework import Reader
    from migrate_trainers.adopting.lines import Line
    from migrate_trainers.adopting.moving import Moves
    from migrate_trainers.adopting.region import Region
    from migrate_trainers.reading.program import Statement
    from migrate_trainers.rules.rewrite import Rewrite


class TrainFunction:
    """The train function that statements of a region become; `definitions` are to stand above it.

    `edits` has to be asked for last: the text of what moves takes in all other edits.
    """

    def __init__(
        self, rewrite: Rewrite, scaling: str, region: Region, moves: Moves, definitions: Sequence[str] = ()
    ) -> None:
        self._rewrite, self._program = rewrite, rewrite.program
        self._region = region
        self._moves = moves
        self._definitions = definitions
        self._unit = rewrite.program.module.default_indent
        self._runs = runs_of(self._program, moves.moved)
        self._place = next(run for run in self._runs if moves.training.statement in run)
        used = {name for line in moves.moved for name in names_in(line.statement)}
        self._passed = passed_values(rewrite, region, moves, used)
        names = driver_names(rewrite, region, moves)
        kept = self._read(moves.readers, names.result, self._program.indent(moves.training.statement))
        if moves.on_first_rank:
            first = next(line for line in moves.last if line in moves.on_first_rank)
            rewrite.review("MT644", first.statement, "; ".join(moves.because))
        self._rank = f"{rewrite.function_named('ray.train.get_context')}()" if moves.on_first_rank else ""
        self._header = f"def {names.function}({self._passed.parameter}):\n"
        indent = self._program.indent(moves.training.statement)
        self._driver = driver_lines(rewrite, scaling, names, self._passed.config, indent)
        self._driver += "".join(kept)

    def _read(self, readers: Sequence[Reader], result: str, indent: str) -> list[str]:
        """Have the driver read its result; returns the lines for values that get variables of their own."""
        program, rewrite = self._program, self._rewrite
        variables: dict[str, str] = {}
        for reader in readers:
            assert reader.text is not None
            text = reader.text(rewrite, result)
            rewrite.review("MT645", reader.node, f"`{text}`")
            if reader.variable:
                text = variables.setdefault(text, variables.get(text) or rewrite.new_name(reader.variable))
            around = program.enclosing(reader.node, cst.FormattedString)
            if around is not None and around.start.endswith('"'):
                text = text.replace('"', "'")
            rewrite.edits.append(Edit(*program.outer_span(reader.node), text))
        return [self._assignment(f"{indent}{name} = {text}", indent) for text, name in variables.items()]

    def _assignment(self, line: str, indent: str) -> str:
        """A line that assigns what a call gives, in three lines if it is too long."""
        if len(line) > LINE_LENGTH:
            head, _, arguments = line.partition("(")
            line = f"{head}(\n{indent}{self._unit}{arguments.removesuffix(')')}\n{indent})"
        return f"{line}\n"

    def edits(self, others: Iterable[Edit]) -> list[Edit]:
        """All edits: those of the others that don't move, and those that put the function and the driver's lines."""
        program, runs = self._program, self._runs
        regions = [region_of_run(program, run) for run in runs]
        others = list(others)
        moving = [one for one in others if any(low <= one.start and one.end <= high for low, high in regions)]
        passed = for_written(self._rewrite, self._passed, [one.text for one in moving])
        others += passed.edits
        kept = [one for one in others if not any(low <= one.start and one.end <= high for low, high in regions)]
        kept += [removal(program, one, []) for run in runs if run is not self._place for one in run]
        kept += [removal(program, line.statement, []) for line in self._moves.dropped]
        start, end = region_of_run(program, self._place)
        above = self._region.guard or self._region.function
        blocks = [*self._definitions, self._text(others, passed.lines).rstrip("\n")]
        if above is not None:
            return [*kept, *definition(program, above, blocks), Edit(start, end, self._driver)]
        blank = missing_blank_lines(program, start, 2)
        return [*kept, Edit(start, end, blank + "\n\n\n".join([*blocks, self._driver]))]

    def _text(self, edits: Sequence[Edit], head: Sequence[str]) -> str:
        moves, unit = self._moves, self._unit
        first = [line for line in moves.moved if line not in moves.last]
        lines = "".join(f"{unit}{line}\n" for line in head)
        text = f"{self._header}{lines}{self._body([*moves.copied, *first], edits)}"
        for is_first, group in groupby(moves.last, lambda line: line in moves.on_first_rank):
            body = self._body(list(group), edits)
            if is_first:
                body = f"\n{unit}if {self._rank}.get_world_rank() == 0:\n{reindented(body, unit, unit * 2)}"
            text += body
        return text

    def _body(self, lines: Sequence[Line], edits: Sequence[Edit]) -> str:
        """Statements in the function's body, a blank line between those that didn't follow each other."""
        runs: list[list[Statement]] = runs_of(self._program, lines)
        return "\n".join(moved_text(self._program, run, edits, self._unit) for run in runs)
