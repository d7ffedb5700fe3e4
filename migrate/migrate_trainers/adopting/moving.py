"""Which statements of a region become the train function.

Those that train, what they are computed from, and what is computed from that. Imports, definitions that read nothing of
it, constants and the command line stay on the driver.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.adopting.command_line import parsing_lines
from migrate_trainers.adopting.effects import sets_state
from migrate_trainers.adopting.lines import Line, is_constant, read_lines
from migrate_trainers.adopting.region import Place, is_guard
from migrate_trainers.reading.scopes import own_returns
from migrate_trainers.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.adopting.framework import Framework, Reader, TrainingSite
    from migrate_trainers.adopting.region import Region
    from migrate_trainers.reading.program import Program


@dataclass(frozen=True)
class Moves:
    """The statements that move, in order, and what the others read of a `Result` from now on.

    `training` is the last one that trains, `last` are those behind it, of which those `on_first_rank` are for the first
    worker only. `driver_reads` are the names by which moved code reads variables of the region that stay, `freed` those
    that only moved statements bind; `copied` are imports of a function that both need.
    """

    training: Line
    moved: tuple[Line, ...] = ()
    last: tuple[Line, ...] = ()
    on_first_rank: frozenset[Line] = frozenset()
    readers: tuple[Reader, ...] = ()
    driver_reads: tuple[cst.Name, ...] = ()
    freed: frozenset[str] = frozenset()
    copied: tuple[Line, ...] = ()


def decide_moves(program: Program, region: Region, sites: Sequence[TrainingSite], framework: Framework) -> Moves:
    """What moves; raises `Refusal` where something would have to that can't."""
    decision = _Decision(
        program,
        region,
        read_lines(program, region),
        [run for site in sites for run in site.runs],
        framework.readers(program, sites),
        framework.in_worker(program),
    )
    return Moves(decision.training[-1]) if region.place is Place.TRAIN_FUNCTION else decision.moves()


@dataclass
class _Decision:
    program: Program
    region: Region
    lines: list[Line]
    runs: Sequence[cst.CSTNode]
    readers: Sequence[Reader]
    in_worker: Sequence[cst.CSTNode]
    moved: set[Line] = field(default_factory=set)

    def moves(self) -> Moves:
        function = self.region.function
        if function is not None and (self.region.scope.declared_global or self.region.scope.declared_nonlocal):
            raise Refusal("MT641", function.name, f"`{function.name.value}` binds variables of the module")
        self.moved = {*self._between, *(line for line in self._only_in_worker if not line.is_definition)}
        self.moved |= {line for line in self.lines if line not in self._staying and self._configures(line)}
        while new := {line for line in self.lines if line not in self.moved and self._has_to_move(line)}:
            self.moved |= new
        needed = self._needed()
        imports = [line for line in self.lines if self._is_own_import(line) and line.binds & needed]
        others = {name for line in self.lines if line not in self.moved for name in line.names}
        self.moved |= {line for line in imports if not line.binds & others}
        for line in self.moved:
            self._check(line)
        moved = [line for line in self.lines if line in self.moved]
        last = [line for line in moved[moved.index(self.training[-1]) + 1 :] if not line.is_import]
        staying = [line for line in self.lines if line not in self.moved]
        bound = self._bound()
        imported = {name for line in imports for name in line.binds}
        return Moves(
            self.training[-1],
            (*self._module_state(), *moved),
            tuple(last),
            frozenset(self._for_first_rank(last)),
            tuple(self._used_readers(staying)),
            tuple(name for line in moved for name in line.reads if name.value not in bound | imported),
            frozenset(bound - {name for line in staying for name in line.binds}),
            tuple(line for line in imports if line not in self.moved),
        )

    def _for_first_rank(self, last: Sequence[Line]) -> set[Line]:
        """Statements behind the training, but for what each worker has to do, and what that reads."""
        everywhere = {line for line in last if line in self._only_in_worker}
        while new := {line for line in last if line not in everywhere and line.binds & _names(everywhere)}:
            everywhere |= new
        return set(last) - everywhere

    def _used_readers(self, staying: Sequence[Line]) -> Iterator[Reader]:
        """Those in statements that stay."""
        for reader in self.readers:
            if any(self.program.contains(line.statement, reader.node) for line in staying):
                yield reader

    def _module_state(self) -> Iterator[Line]:
        """What sets up the process at module level, where a function trains: the workers don't run the module."""
        if self.region.place is not Place.FUNCTION:
            return
        for statement in self.program.module.body:
            inner = statement.body.body if isinstance(statement, cst.If) and is_guard(self.program, statement) else ()
            for one in (statement, *inner):
                if isinstance(one, cst.SimpleStatementLine) and sets_state(self.program, one):
                    yield Line(one, frozenset(), ())

    @cached_property
    def training(self) -> list[Line]:
        """The statements that train."""
        return self._with_any_of(self.runs)

    @cached_property
    def _only_in_worker(self) -> list[Line]:
        return self._with_any_of(self.in_worker)

    def _with_any_of(self, nodes: Sequence[cst.CSTNode]) -> list[Line]:
        return [line for line in self.lines if any(self.program.contains(line.statement, node) for node in nodes)]

    @cached_property
    def _between(self) -> list[Line]:
        """The statements from the first one that trains to the last, but for those that stay."""
        first, last = self.lines.index(self.training[0]), self.lines.index(self.training[-1])
        for line in self.training:
            if line in self._staying:
                raise Refusal("MT641", line.statement, "the command line depends on what it does")
        return [line for line in self.lines[first : last + 1] if line not in self._staying and not line.is_definition]

    @cached_property
    def _staying(self) -> set[Line]:
        """What stays whatever reads it: imports, constants, the command line and what that is made from."""
        staying = parsing_lines(self.program, self.lines)
        while new := {line for line in self.lines if line not in staying and line.binds & _names(staying)}:
            staying |= new
        return staying | {line for line in self.lines if line.is_import or is_constant(self.program, line)}

    def _configures(self, line: Line) -> bool:
        """Whether a statement sets up the process that trains: a seed, say."""
        if self.lines.index(line) > self.lines.index(self.training[-1]):
            return False
        return sets_state(self.program, line.statement)

    def _has_to_move(self, line: Line) -> bool:
        if self._comes_too_late(line):
            return True
        if line in self._staying:
            return False
        bound = self._bound()
        if any(name.value in bound for name in line.reads if not self._is_of_reader(line, name)):
            return True
        return not line.is_definition and bool(line.binds & (self._needed() | bound))

    def _comes_too_late(self, line: Line) -> bool:
        """Whether moved code needs what a statement defines below the training: the trainer runs before it."""
        is_below = self.lines.index(line) > self.lines.index(self.training[-1])
        is_late = is_below and (line.is_definition or is_constant(self.program, line))
        return is_late and bool(line.binds & self._needed())

    def _needed(self) -> set[str]:
        """The variables that moved statements read, themselves or in definitions that they use."""
        needed, pending = set[str](), list(self.moved)
        while pending:
            names = pending.pop().names - needed
            needed |= names
            pending += [line for line in self.lines if line.is_definition and line.binds & names]
        return needed

    def _bound(self) -> set[str]:
        return {name for line in self.moved if not line.is_import for name in line.binds}

    def _is_of_reader(self, line: Line, name: cst.Name) -> bool:
        """Whether a name is part of what can be read from the `Result` instead."""
        if self.lines.index(line) < self.lines.index(self.training[-1]):
            return False
        return any(self.program.contains(reader.node, name) for reader in self.readers)

    def _is_own_import(self, line: Line) -> bool:
        """Whether a statement imports what only the region's function can read."""
        return self.region.place is Place.FUNCTION and line.is_import

    def _check(self, line: Line) -> None:
        """Refuse to move what would mean something else in another function."""
        statement = line.statement
        if own_returns(statement) and self.region.function is not None:
            detail = f"`{self.region.function.name.value}` returns here, and what stands here has to move"
            raise Refusal("MT641", own_returns(statement)[0], detail)
        for kind, said in ((cst.Yield, "yields"), (cst.Await, "awaits"), (cst.Global, "declares `global`")):
            if (found := _first(statement, kind)) is not None and (kind is cst.Global or not line.is_definition):
                raise Refusal("MT641", found, f"what has to move {said}")


def _names(lines: set[Line]) -> set[str]:
    return {name for line in lines for name in line.names}


def _first(node: cst.CSTNode, kind: type[cst.CSTNode]) -> cst.CSTNode | None:
    if isinstance(node, kind):
        return node
    return next((found for child in node.children if (found := _first(child, kind)) is not None), None)
