"""A function that does nothing but train is the train function as it stands; its call becomes the trainer's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.driver import driver_lines, driver_names
from migrate_trainers.adopting.region import Place
from migrate_trainers.reading.source import Edit
from migrate_trainers.writing.import_lines import is_import_line
from migrate_trainers.writing.placement import definition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.adopting.moving import Moves
    from migrate_trainers.adopting.region import Region
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

# What a reader takes for the script's own function, and not for a worker's.
_OF_SCRIPT = frozenset({"main", "cli", "run"})


def call_of_whole(program: Program, region: Region, moves: Moves) -> cst.SimpleStatementLine | None:
    """The statement that calls a region's function, if nothing of that has to stay on the driver."""
    function = region.function
    if region.place is not Place.FUNCTION or function is None or function.name.value in _OF_SCRIPT:
        return None
    parameters = function.params
    has_parameters = bool(parameters.params or parameters.kwonly_params or parameters.star_kwarg)
    if has_parameters or function.decorators or moves.driver_reads or moves.last or moves.readers:
        return None
    if not _moves_whole(program, region, moves):
        return None
    uses = [use for one in program.module_scope.lookup(function.name.value) for use in program.uses(one)]
    call = program.parent(uses[0]) if len(uses) == 1 else None
    statement = program.statement(call) if isinstance(call, cst.Call) and not call.args else None
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return None
    only = statement.body[0]
    is_alone = isinstance(only, cst.Expr) and only.value is call and program.enclosing(call, cst.FunctionDef) is None
    return statement if is_alone else None


def _moves_whole(program: Program, region: Region, moves: Moves) -> bool:
    own = [line.statement for line in moves.moved]
    if any(program.block(statement) is not region.block for statement in own):
        return False
    left = [statement for statement in region.statements(program) if statement not in own]
    return all(is_import_line(one) or _is_docstring(one) for one in left)


def _is_docstring(statement: cst.CSTNode) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine) or not isinstance(statement.body[0], cst.Expr):
        return False
    return isinstance(statement.body[0].value, cst.SimpleString)


class WholeFunction:
    """The same as a `TrainFunction`, for a function that stays where it is."""

    def __init__(
        self,
        rewrite: Rewrite,
        scaling: str,
        region: Region,
        moves: Moves,
        call: cst.SimpleStatementLine,
        definitions: Sequence[str],
    ) -> None:
        assert region.function is not None
        self._program = rewrite.program
        self._function = region.function
        self._call = call
        self._definitions = list(definitions)
        indent = rewrite.program.indent(call)
        names = driver_names(rewrite, region, moves, region.function.name.value)
        self._driver = driver_lines(rewrite, scaling, names, "", indent)

    def edits(self, others: Sequence[Edit]) -> list[Edit]:
        """All edits: those of the others, and those of the call."""
        source = self._program.source
        start = source.line_start(self._program.span(self._call)[0])
        end = source.line_end(self._program.span(self._call)[1])
        above = definition(self._program, self._function, self._definitions) if self._definitions else []
        return [*others, *above, Edit(start, end, self._driver)]
