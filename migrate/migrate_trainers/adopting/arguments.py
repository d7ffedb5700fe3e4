"""A script's command line: what reads it stays on the driver, and the train function gets what was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.region import Place
from migrate_trainers.writing.render import free_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from migrate_trainers.adopting.lines import Line
    from migrate_trainers.adopting.moving import Moves
    from migrate_trainers.adopting.region import Region
    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.source import Edit
    from migrate_trainers.rules.rewrite import Rewrite

_PARSERS = frozenset({"argparse.ArgumentParser", "transformers.HfArgumentParser", "jsonargparse.ArgumentParser"})


@dataclass(frozen=True)
class Passed:
    """How the train function gets values of the driver's.

    `config` is the text of `train_loop_config`, empty where there is none; `parameter` what the function calls it.
    `lines` stand first in the function, without indentation; `edits` are made in the code that moves.
    """

    config: str = ""
    parameter: str = ""
    lines: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()


def parsing_lines(program: Program, lines: Sequence[Line]) -> set[Line]:
    """The statements that read the command line: those that make a parser, fill it, and ask it."""
    parsers = {name for line in lines for name in line.binds if _makes_parser(program, line)}
    return {line for line in lines if line.binds & parsers or (line.names & parsers and not line.is_definition)}


def _makes_parser(program: Program, line: Line) -> bool:
    if not isinstance(line.statement, cst.SimpleStatementLine):
        return False
    values = [small.value for small in line.statement.body if isinstance(small, cst.Assign)]
    return any(isinstance(one, cst.Call) and program.qualified_name(one.func) in _PARSERS for one in values)


def passed_values(rewrite: Rewrite, region: Region, moves: Moves, used: Collection[str]) -> Passed:
    """How code that moves gets what it reads of the driver's variables; `used` are the names in that code.

    At module level the train function closes over them. Variables of a function go through `train_loop_config`.
    """
    if region.place is not Place.FUNCTION:
        return Passed()
    names = sorted({name.value for name in moves.driver_reads})
    if not names:
        return Passed()
    parameter = free_name({*used, *names}, "config", "train_loop_config")
    config = ", ".join(f'"{name}": {name}' for name in names)
    return Passed(f"{{{config}}}", parameter, tuple(f'{name} = {parameter}["{name}"]' for name in names))
