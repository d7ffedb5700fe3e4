"""Several files read as one program: what one imports from another is followed to where it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.program import Program
from migrate_trainers.reading.scopes import BindingKind
from migrate_trainers.reading.source import Edit, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from migrate_trainers.reading.scopes import Binding

# Lines of one file are counted from a multiple of this, so that a place tells its file.
_LINES = 10_000_000


@dataclass(frozen=True)
class LinkedSource(Source):
    """The texts of several sources behind each other, with a line end between them."""

    parts: tuple[Source, ...] = ()
    starts: tuple[int, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Source]) -> LinkedSource:
        buffer = b"\n".join(part.buffer for part in parts)
        starts, start = [], 0
        for part in parts:
            starts.append(start)
            start += len(part.buffer) + 1
        return cls(b"", "utf-8", "\n", buffer, parts=tuple(parts), starts=tuple(starts))

    def part_at(self, offset: int) -> int:
        return max(index for index, start in enumerate(self.starts) if start <= offset)

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column of an offset in its file; the line says too which file that is (`file_and_line`)."""
        index = self.part_at(offset)
        line, column = self.parts[index].position(offset - self.starts[index])
        return line_in_file(index, line), column

    def edits_of(self, index: int, edits: Iterable[Edit]) -> list[Edit]:
        """The edits of one of the sources, among those of all."""
        start, length = self.starts[index], len(self.parts[index].buffer)
        return [
            Edit(edit.start - start, min(edit.end - start, length), edit.text)
            for edit in edits
            if self.part_at(edit.start) == index
        ]


def file_and_line(line: int) -> tuple[int, int]:
    """Which of the linked files a line of `LinkedSource.position` is in, and the line there."""
    return divmod(line, _LINES)


def line_in_file(index: int, line: int) -> int:
    """The line of `LinkedSource.position` for a line of one of the files."""
    return index * _LINES + line


class LinkedProgram(Program):
    """Programs that are rewritten together, a script that makes trainers first.

    A name that one of them imports from another means what it means there. `originals` are the programs by which the
    files of the tree know these, in the same order.
    """

    source: LinkedSource

    def __init__(self, parts: Sequence[Program], originals: Sequence[Program]) -> None:
        self.parts = parts
        self._part_of = dict(zip(originals, parts, strict=True))
        self.source = LinkedSource.of([part.source for part in parts])
        self.module, self.module_scope = parts[0].module, parts[0].module_scope
        self.elsewhere, self.read_file = parts[0].elsewhere, parts[0].read_file
        self.users = parts[0].users
        self.continues_runs = any(part.continues_runs for part in parts)
        self.modules = tuple(part.module for part in parts)
        self._parents, self._scopes, self.names = {}, {}, {}
        self.attributes, self.calls, self.imports, self.comments, self.strings = [], [], [], [], []
        self._spans, self._qualified = {}, {}
        for part, offset in zip(parts, self.source.starts, strict=True):
            self._spans |= {key: (start + offset, end + offset) for key, (start, end) in part._spans.items()}
            self._parents |= part._parents
            self._scopes |= {**part._scopes, part.module: part.module_scope}
            self.names |= part.names
            self.attributes += part.attributes
            self.calls += part.calls
            self.imports += part.imports
            self.comments += part.comments
            self.strings += part.strings
        self._meanings: dict[Binding, tuple[Binding, ...]] = {}

    def bindings(self, name: cst.Name) -> tuple[Binding, ...]:
        return tuple(found for binding in super().bindings(name) for found in self._meaning(binding))

    def named(self, node: cst.BaseExpression) -> tuple[Binding, ...]:
        if isinstance(node, cst.Attribute) and (qualified := self.qualified_name(node)) is not None:
            origin = self.file_of(node).elsewhere(qualified)
            other = self._part_of.get(origin[0]) if origin is not None else None
            if origin is not None and other is not None:
                made = other.module_scope.lookup(origin[1])
                return tuple(found for binding in made for found in self._meaning(binding))
        return super().named(node)

    def uses(self, binding: Binding) -> list[cst.Name]:
        return [
            name
            for name in self.names
            if any(binding is one or binding in self._meaning(one) for one in super(LinkedProgram, self).bindings(name))
        ]

    def definitions(self, node: cst.BaseExpression) -> Iterator[tuple[Program, Binding]]:
        yield from self.file_of(node).definitions(node)

    def file_of(self, node: cst.CSTNode) -> Program:
        return self.parts[self.source.part_at(self.span(node)[0])]

    def _meaning(self, binding: Binding) -> tuple[Binding, ...]:
        """What an import brings in from another of the programs, else the binding itself."""
        if binding.kind is not BindingKind.IMPORT:
            return (binding,)
        if binding not in self._meanings:
            found = self._followed(self.file_of(binding.node), binding, set())
            is_known = found and all(made.kind is not BindingKind.IMPORT for made in found)
            self._meanings[binding] = tuple(found) if is_known else (binding,)
        return self._meanings[binding]

    def _followed(self, program: Program, binding: Binding, seen: set[Binding]) -> list[Binding]:
        """Where an import comes from, through the files that hand it on; empty if that is in none of the programs."""
        if binding in seen:
            return []
        seen.add(binding)
        origin = program.elsewhere(binding.imported) if binding.imported is not None else None
        if origin is None:
            return [binding] if program in self.parts else []
        other = self._part_of.get(origin[0], origin[0])
        return [found for one in other.module_scope.lookup(origin[1]) for found in self._followed(other, one, seen)]
