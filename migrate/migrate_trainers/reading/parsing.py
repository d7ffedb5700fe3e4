"""A text as a tree whose nodes have places; after edits, only the statements that they touch are parsed again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.layout import chunks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.reading.layout import Chunk, Span
    from migrate_trainers.reading.source import Edit

# Above a part of a text, so that comments at its top belong to its first statement, as they do in the whole.
_STATEMENT = b"pass"


@dataclass(frozen=True)
class Parsed:
    """A module and what it holds, in the order of `data`, its text as UTF-8."""

    data: bytes
    module: cst.Module
    chunks: Sequence[Chunk]

    @classmethod
    def of(cls, data: bytes) -> Parsed:
        """Parse a text.

        Raises:
            libcst.ParserSyntaxError: if it isn't Python.
            ValueError: if libcst can't give it back exactly: places would be wrong then.
        """
        text = data.decode("utf-8")
        module = cst.parse_module(text)
        return cls(data, module, chunks_of(module, text))

    def edited(self, edits: Sequence[Edit], data: bytes) -> Parsed:
        """What `of` gives for `data`, which the text has become by edits; raises the same.

        What no edit comes near keeps its nodes.
        """
        try:
            return _edited(self, edits, data)
        except (cst.ParserSyntaxError, ValueError):
            return Parsed.of(data)  # An error has to name its place in the whole.

    @cached_property
    def spans(self) -> dict[int, Span]:
        """Start and end of each node, by its `id`."""
        spans = {id(self.module): (0, len(self.data))}
        for chunk in self.chunks:
            spans.update(chunk.spans)
        return spans

    @cached_property
    def parents(self) -> dict[int, cst.CSTNode]:
        """What holds each node but the module, by the node's `id`."""
        parents: dict[int, cst.CSTNode] = {}
        for chunk in self.chunks:
            parents.update(chunk.parents)
            parents[id(chunk.node)] = self.module
        return parents

    @cached_property
    def children(self) -> dict[int, Sequence[cst.CSTNode]]:
        """What each node holds, by its `id`, in the order of the text."""
        children: dict[int, Sequence[cst.CSTNode]] = {id(self.module): [chunk.node for chunk in self.chunks]}
        for chunk in self.chunks:
            children.update(chunk.children)
        return children


def _edited(before: Parsed, edits: Sequence[Edit], data: bytes) -> Parsed:
    """`before` after edits; raises `ValueError` where its parts don't make up `data`."""
    changed = _changed(before.chunks, edits)
    if len(changed) == len(before.chunks):
        return Parsed.of(data)
    above = _STATEMENT + before.module.default_newline.encode()
    runs = [(is_new, list(run)) for is_new, run in groupby(before.chunks, key=lambda chunk: id(chunk.node) in changed)]
    chunks: list[Chunk] = []
    has_trailing_newline = before.module.has_trailing_newline
    position = 0
    for (is_new, run), (_, following) in pairwise([*runs, (False, [])]):
        if not is_new:
            moved = position - run[0].start
            end = run[-1].end + moved
            if data[position:end] != before.data[run[0].start : run[-1].end]:
                raise ValueError("the text is not what the edits say")
            chunks += [chunk.moved(moved) for chunk in run]
        else:
            end = following[0].start + _growth(edits, following[0].start) if following else len(data)
            part = Parsed.of(above + data[position:end] if position else data[:end])
            if following and (part.module.footer or not part.module.has_trailing_newline):
                raise ValueError("the lines above the next statement have come to belong to another one")
            if not following:
                has_trailing_newline = part.module.has_trailing_newline
            moved = position - len(above) if position else 0
            chunks += [chunk.moved(moved) for chunk in part.chunks[1 if position else 0 :]]
        position = end
    module = before.module.with_changes(**_parts(chunks), has_trailing_newline=has_trailing_newline)
    return Parsed(data, module, chunks)


def _changed(chunks: Sequence[Chunk], edits: Sequence[Edit]) -> set[int]:
    """The `id` of each node that an edit is in or beside, and of those whose own lines that can change."""
    touched = {
        index
        for index, chunk in enumerate(chunks)
        if any(edit.start <= chunk.end and chunk.start <= edit.end for edit in edits)
    }
    # New comments belong to the next statement.
    touched |= {index + 1 for index in touched}
    # What a module begins and ends with belongs to it or to a statement, as that one allows.
    statements = [index for index, chunk in enumerate(chunks) if not isinstance(chunk.node, cst.EmptyLine)]
    first, last = (statements[0], statements[-1]) if statements else (len(chunks), 0)
    for outer in (range(first + 1), range(last, len(chunks))):
        if not touched.isdisjoint(outer):
            touched.update(outer)
    return {id(chunk.node) for index, chunk in enumerate(chunks) if index in touched}


def _growth(edits: Sequence[Edit], offset: int) -> int:
    """By how many bytes the edits above an offset move what stands there."""
    return sum(len(edit.text.encode()) - (edit.end - edit.start) for edit in edits if edit.end < offset)


def _parts(chunks: Sequence[Chunk]) -> dict[str, list[cst.CSTNode]]:
    """A module's fields that hold nodes."""
    nodes = [chunk.node for chunk in chunks]
    statements = [index for index, node in enumerate(nodes) if not isinstance(node, cst.EmptyLine)]
    first, last = (statements[0], statements[-1] + 1) if statements else (len(nodes), len(nodes))
    return {"header": nodes[:first], "body": nodes[first:last], "footer": nodes[last:]}
