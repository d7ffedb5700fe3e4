"""Pieces of Python that make one program together: a notebook's cells, a page's code blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrate_trainers.reading.cells import OWN_BOUNDARY, own_boundary

if TYPE_CHECKING:
    from collections.abc import Mapping

# Keeps the encoding cookie of a cell from being one of the program.
_HEADER = "# The cells of a container, joined.\n#\n"


@dataclass(frozen=True)
class Joined:
    """Texts by number, in order, joined with a line above each that says its number."""

    pieces: Mapping[int, str]

    @property
    def text(self) -> str:
        parts = [own_boundary(number) + text + "\n" for number, text in self.pieces.items()]
        return "".join([_HEADER, *parts])

    def split(self, text: str) -> dict[int, str]:
        """The pieces that an edited text has changed; raises `ValueError` if the lines between them aren't there."""
        parts = OWN_BOUNDARY.split(text)
        found = dict(zip(map(int, parts[1::2]), parts[2::2], strict=True))
        if list(found) != list(self.pieces) or len(parts) != 2 * len(self.pieces) + 1 or parts[0] != _HEADER:
            raise ValueError("the cells of the output are not those of the input")
        changed = {}
        for number, before in self.pieces.items():
            after = found[number].removesuffix("\n")
            if after != before:
                changed[number] = _trimmed(before, after)
        return changed

    def place(self, line: int) -> tuple[int | None, int]:
        """The number of the piece that a line of the text is in, and the line there; None above them all."""
        start = _HEADER.count("\n")
        for number, text in self.pieces.items():
            length = text.count("\n") + 2
            if start < line <= start + length:
                return number, max(line - start - 1, 1)
            start += length
        return None, line


def _trimmed(before: str, after: str) -> str:
    """A piece without the blank lines at its ends that it hadn't."""
    if not before.startswith("\n"):
        after = after.lstrip("\n")
    return after if before.endswith("\n") else after.rstrip("\n")
