"""Comments of code that is taken apart: which part each belongs to, so that none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from migrate_trainers.reading.program import Program


def behind_keyword(program: Program, node: cst.CSTNode) -> list[cst.Comment]:
    """The comments of an argument that stand between its keyword and its value, and so in neither."""
    if not isinstance(node, cst.Arg) or node.keyword is None:
        return []
    start, end = program.span(node.keyword)[1], program.outer_span(node.value)[0]
    if b"#" not in program.source.buffer[start:end]:
        return []
    return [comment for comment in program.comments if start <= program.span(comment)[0] < end]


class MovedComments:
    """The comments in some regions of a source, by the node (an node, say) that they stand before or behind.

    What is never asked for is left over: `rest` gives it, in the order of the source.
    """

    def __init__(self, program: Program, regions: Sequence[tuple[int, int]], nodes: Iterable[cst.CSTNode]) -> None:
        self._before: dict[cst.CSTNode, list[str]] = {}
        self._behind: dict[cst.CSTNode, str] = {}
        self._rest: list[tuple[int, str]] = []
        self._offsets: dict[tuple[cst.CSTNode, str], int] = {}
        spans = sorted(((program.span(node), node) for node in nodes), key=lambda item: item[0])
        for comment in program.comments:
            start, end = program.span(comment)
            if not any(low <= start < high for low, high in regions):
                continue
            holder = next((node for (low, high), node in spans if low <= start < high), None)
            text = program.source.slice(start, end)
            if holder is None:
                self._attribute(program, start, text, spans)
            elif comment in behind_keyword(program, holder):
                self._before.setdefault(holder, []).append(text)
                self._offsets[holder, text] = start

    def _attribute(
        self, program: Program, start: int, text: str, spans: list[tuple[tuple[int, int], cst.CSTNode]]
    ) -> None:
        earlier = [node for (_, high), node in spans if high <= start]
        if earlier:
            last = max(earlier, key=lambda node: program.span(node)[1])
            if b"\n" not in program.source.buffer[program.span(last)[1] : start] and last not in self._behind:
                self._behind[last] = text
                self._offsets[last, text] = start
                return
        following = next((node for (low, _), node in spans if low > start), None)
        if following is None:
            self._rest.append((start, text))
        else:
            self._before.setdefault(following, []).append(text)
            self._offsets[following, text] = start

    def before(self, node: cst.CSTNode) -> tuple[str, ...]:
        return tuple(self._before.pop(node, ()))

    def behind(self, node: cst.CSTNode) -> str:
        return self._behind.pop(node, "")

    def rest(self) -> list[str]:
        left = list(self._rest)
        for node, texts in self._before.items():
            left += [(self._offsets[node, text], text) for text in texts]
        left += [(self._offsets[node, text], text) for node, text in self._behind.items()]
        self._before, self._behind, self._rest = {}, {}, []
        return [text for _, text in sorted(left)]
