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
from migrate_trainers.adopting.effects import draws, seeds, sets_state
from migrate_trainers.adopting.lines import Line, is_constant, read_lines
from migrate_trainers.adopting.region import Place, is_guard
from migrate_trainers.adopting.written_files import makes_folder, reads_of, written_paths
from migrate_trainers.reading.scopes import own_returns
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.accelerate.train_loop import reached_definitions

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
    that only moved statements bind; `copied` are imports of a function that both need. `because` says why what stands
    behind the training is for a worker, as far as that isn't plain; `paths` are those that moved statements write to.
    `dropped` are statements that have nothing left to give.
    """

    training: Line
    moved: tuple[Line, ...] = ()
    last: tuple[Line, ...] = ()
    on_first_rank: frozenset[Line] = frozenset()
    readers: tuple[Reader, ...] = ()
    driver_reads: tuple[cst.Name, ...] = ()
    freed: frozenset[str] = frozenset()
    copied: tuple[Line, ...] = ()
    because: tuple[str, ...] = ()
    paths: frozenset[str] = frozenset()
    dropped: tuple[Line, ...] = ()


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
    paths: frozenset[str] = frozenset()

    def moves(self) -> Moves:
        function = self.region.function
        if function is not None and (self.region.scope.declared_global or self.region.scope.declared_nonlocal):
            raise Refusal("MT641", function.name, f"`{function.name.value}` binds variables of the module")
        self.moved = {*self._between, *(line for line in self._only_in_worker if not line.is_definition)}
        self.moved |= {line for line in self.lines if line not in self._staying and self._configures(line)}
        while new := self._following():
            self.moved |= new
        dropped = [line for line in self.moved if self._is_unread_return(line)]
        self.moved -= set(dropped)
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
        on_first_rank = frozenset(self._for_first_rank(last))
        return Moves(
            self.training[-1],
            (*self._module_state(), *moved),
            tuple(last),
            on_first_rank,
            tuple(self._used_readers(staying)),
            tuple(name for line in moved for name in line.reads if name.value not in bound | imported),
            frozenset(bound - {name for line in staying for name in line.binds}),
            tuple(line for line in imports if line not in self.moved),
            tuple(dict.fromkeys(why for line in last if line in on_first_rank for why in self._reasons(line))),
            self.paths,
            tuple(dropped),
        )

    def _following(self) -> set[Line]:
        """What has to move, too, because of what moves."""
        self.paths = written_paths(self.program, [line.statement for line in self.moved])
        return {line for line in self.lines if line not in self.moved and self._has_to_move(line)}

    def _reasons(self, line: Line) -> Iterator[str]:
        """Why the driver can't do what a statement behind the training does."""
        for reader in self.readers:
            if reader.text is None and self.program.contains(line.statement, reader.node):
                yield reader.why
        if self._goes_on_drawing(line):
            yield "random numbers are drawn on, which were seeded there"
        if (path := self._file_read(line)) is not None:
            yield f"`{self.program.text(path)}` is written by a worker"

    def _for_first_rank(self, last: Sequence[Line]) -> set[Line]:
        """Statements behind the training, but for what each worker has to do, and what that reads."""
        everywhere = {line for line in last if line in self._only_in_worker}
        while new := {line for line in last if line not in everywhere and line.binds & _names(everywhere)}:
            everywhere |= new
        return set(last) - everywhere

    def _used_readers(self, staying: Sequence[Line]) -> Iterator[Reader]:
        """Those in statements that stay."""
        for reader in self.readers:
            is_staying = any(self.program.contains(line.statement, reader.node) for line in staying)
            if reader.text is not None and is_staying:
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
        if self._is_behind(line):
            return False
        return sets_state(self.program, line.statement)

    def _has_to_move(self, line: Line) -> bool:
        if self._comes_too_late(line):
            return True
        if line in self._staying:
            return False
        if self._needs_files(line) or self._goes_on_drawing(line):
            return True
        bound = self._bound()
        if any(self._is_bound_in(name, bound) for name in line.reads if not self._is_of_reader(line, name)):
            return True
        if line.is_definition:
            return False
        if self._is_behind(line):
            return self._is_read_by_moved(line)
        return bool(line.binds & (self._needed() | bound))

    def _is_behind(self, line: Line) -> bool:
        return self.lines.index(line) > self.lines.index(self.training[-1])

    def _is_bound_in(self, name: cst.Name, bound: set[str]) -> bool:
        """Whether a name may read what a moved statement gives its variable."""
        return name.value in bound and any(
            self.program.contains(line.statement, binding.node)
            for binding in self.program.reaching(name)
            for line in self.moved
            if not line.is_import and name.value in line.binds
        )

    def _is_read_by_moved(self, line: Line) -> bool:
        """Whether moved code may read what a statement behind the training gives its variables."""
        reads = [name for moved in self.moved for name in moved.reads if name.value in line.binds]
        return any(
            self.program.contains(line.statement, binding.node)
            for name in reads
            for binding in self.program.reaching(name)
        )

    def _comes_too_late(self, line: Line) -> bool:
        """Whether moved code needs what a statement defines below the training: the trainer runs before it."""
        is_late = self._is_behind(line) and (line.is_definition or is_constant(self.program, line))
        return is_late and bool(line.binds & self._needed())

    def _needs_files(self, line: Line) -> bool:
        """Whether a statement reads files that moved ones write, or makes the folder for them."""
        if line.is_definition:
            return False
        if self._is_behind(line) and self._file_read(line) is not None:
            return True
        return makes_folder(self.program, line.statement, self.paths)

    def _goes_on_drawing(self, line: Line) -> bool:
        """Whether a statement behind the training draws random numbers that moved ones have seeded."""
        if line.is_definition or not self._is_behind(line) or not self._are_seeded:
            return False
        return draws(self.program, reached_definitions(self.program, [line.statement]))

    @cached_property
    def _are_seeded(self) -> bool:
        """Whether the script seeds its random numbers; that moves with the training."""
        return any(seeds(self.program, statement) for statement in self.region.statements(self.program)) or any(
            seeds(self.program, line.statement) for line in self._module_state()
        )

    def _file_read(self, line: Line) -> cst.BaseExpression | None:
        """The path of a file that moved statements write, in a statement that reads it and can't do without."""
        known = [reader.node for reader in self.readers if reader.text is not None]
        return reads_of(self.program, reached_definitions(self.program, [line.statement]), self.paths, known)

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
        readers = [reader for reader in self.readers if reader.text is not None]
        return any(self.program.contains(reader.node, name) for reader in readers)

    def _is_own_import(self, line: Line) -> bool:
        """Whether a statement imports what only the region's function can read."""
        return self.region.place is Place.FUNCTION and line.is_import

    def _is_unread_return(self, line: Line) -> bool:
        """Whether a statement only returns what workers have computed, and nobody reads what the function returns."""
        function, statement = self.region.function, line.statement
        is_return = isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[0], cst.Return)
        is_last = line is self.lines[-1] and is_return
        if function is None or not is_last or function.decorators or self.program.is_taken(function.name.value):
            return False
        calls = any(self.program.contains(line.statement, call) for call in self.program.calls)
        uses = [use for one in self.program.module_scope.lookup(function.name.value) for use in self.program.uses(one)]
        made = [self.program.parent(use) for use in uses]
        return bool(uses and not calls) and all(
            isinstance(call, cst.Call) and call.func is use and isinstance(self.program.parent(call), cst.Expr)
            for use, call in zip(uses, made, strict=True)
        )

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
