"""Comments of code that is taken apart: which part each belongs to, so that none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import libcst as cst

    from migrate_trainers.reading.program import Program


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
            if any(low <= start < high for (low, high), _ in spans):
                continue
            self._attribute(program, start, program.source.slice(start, end), spans)

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
