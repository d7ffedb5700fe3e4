"""Where each node of a tree stands and what it holds, noted while libcst generates the tree's text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from libcst._nodes.internal import CodegenState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    import libcst as cst

    # What each node holds, by its `id`, in the order of the text.
    Children = Mapping[int, Sequence[cst.CSTNode]]

Span = tuple[int, int]


@dataclass(frozen=True)
class Chunk:
    """What a module holds directly: a statement with the lines above it, or a blank line or comment.

    `start` and `end` are what it takes of the text, `spans` the places of its nodes, in bytes of the text as UTF-8. The
    keys are the nodes' `id`: libcst computes a node's hash in Python.
    """

    node: cst.CSTNode
    start: int
    end: int
    spans: dict[int, Span]
    parents: dict[int, cst.CSTNode]
    children: dict[int, list[cst.CSTNode]]

    def moved(self, by: int) -> Chunk:
        """The chunk in a text in which it stands so many bytes further on."""
        if not by:
            return self
        spans = {key: (start + by, end + by) for key, (start, end) in self.spans.items()}
        return replace(self, start=self.start + by, end=self.end + by, spans=spans)


@dataclass
class _Open:
    """A node whose text is being generated."""

    start: int
    children: list[cst.CSTNode] = field(default_factory=list)


def chunks_of(module: cst.Module, text: str) -> list[Chunk]:
    """What a module holds, with the places of all nodes.

    libcst's own metadata are the same, but take a visit of the tree for each kind. Raises `ValueError` if libcst
    doesn't give the text back exactly.
    """
    state = _State(module.default_indent, module.default_newline, is_ascii=text.isascii())
    module._codegen(state)
    if "".join(state.tokens) != text:
        raise ValueError("the parser does not reproduce this file's text")
    return state.chunks


class _State(CodegenState):
    """What libcst tells of the text while it generates it."""

    def __init__(self, indent: str, newline: str, *, is_ascii: bool) -> None:
        super().__init__(indent, newline)
        self.chunks: list[Chunk] = []
        self.position = 0
        self._is_ascii = is_ascii
        self._open: list[_Open] = []
        self._begin_chunk()

    def _begin_chunk(self) -> None:
        self.spans: dict[int, Span] = {}
        self._parents: dict[int, cst.CSTNode] = {}
        self._children: dict[int, list[cst.CSTNode]] = {}

    def add_indent_tokens(self) -> None:
        for token in self.indent_tokens:
            self.add_token(token)

    def add_token(self, value: str) -> None:
        self.tokens.append(value)
        self.position += len(value) if self._is_ascii else len(value.encode())

    def before_codegen(self, node: cst.CSTNode) -> None:
        self._open.append(_Open(self.position))

    def after_codegen(self, node: cst.CSTNode) -> None:
        opened = self._open.pop()
        if not self._open:
            return
        key = id(node)
        if opened.children:
            self._children[key] = opened.children
            for child in opened.children:
                self._parents[id(child)] = node
        self._open[-1].children.append(node)
        if key not in self.spans:
            self.spans[key] = opened.start, self.position
        if len(self._open) == 1:
            chunk = Chunk(node, opened.start, self.position, self.spans, self._parents, self._children)
            self.chunks.append(chunk)
            self._begin_chunk()

    def record_syntactic_position(  # type: ignore[override]
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> AbstractContextManager[None]:
        """Called by a node around what its place is: without the blank lines and comments above it."""
        return _Recording(self, node, start_node, end_node)


class _Recording:
    """Notes what is generated within a `with` block as the place of a node."""

    def __init__(
        self, state: _State, node: cst.CSTNode, start_node: cst.CSTNode | None, end_node: cst.CSTNode | None
    ) -> None:
        self._state = state
        self._node = node
        self._start_node = start_node
        self._end_node = end_node

    def __enter__(self) -> None:
        self._start = self._state.position

    def __exit__(self, *_: object) -> None:
        spans = self._state.spans
        start = self._start if self._start_node is None else spans[id(self._start_node)][0]
        end = self._state.position if self._end_node is None else spans[id(self._end_node)][1]
        spans[id(self._node)] = start, end
