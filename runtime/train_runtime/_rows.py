"""Lines out of what a worker writes: progress bars rewrite theirs, and those below, until something else follows."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST_ROW = 1 << 20
_MOST_ROWS = 32

_MOVE = re.compile(rb"(\n|\r+|\x1b\[\d*A)")
_PART_OF_A_MOVE = re.compile(rb"\x1b(\[\d*)?\Z")


@dataclass
class _Row:
    text: bytes = b""
    is_bar: bool = False
    """Whether it was rewritten in place."""


class Rows:
    """The rows of one stream that may still change, as a terminal would show them.

    A row is complete with its line end, but a progress bar only when a complete row that is none follows: until then
    the worker may move the cursor up to it.
    """

    def __init__(self) -> None:
        self._rows = [_Row()]
        self._cursor = 0
        self._is_back = False
        """Whether the cursor was set back, to write over what is there."""
        self._rest = b""
        self.bar = b""
        """The progress bar that was written last, as long as it may change."""

    def feed(self, data: bytes) -> list[bytes]:
        """The rows that `data` completes, in their last state."""
        data = self._rest + data
        part = _PART_OF_A_MOVE.search(data, len(data) - 8)
        self._rest = part[0] if part else b""
        complete: list[bytes] = []
        for token in _MOVE.split(data[: len(data) - len(self._rest)]):
            if token == b"\n":
                complete += self._line_end()
            elif token.startswith(b"\r"):
                self._is_back = True
            elif _MOVE.fullmatch(token):
                self._cursor = max(self._cursor - int(token[2:-1] or 1), 0)
                self._is_back = True
            elif token:
                self._write(token)
        if len(self._rows[self._cursor].text) > _LONGEST_ROW:
            complete += self._line_end()
        return complete

    def finish(self) -> list[bytes]:
        """All that is left; the stream has ended."""
        return [text for text in self._release(len(self._rows)) if text.strip()]

    def _write(self, text: bytes) -> None:
        row = self._rows[self._cursor]
        if self._is_back:
            row.text, row.is_bar = text, True
        else:
            row.text += text
        self._is_back = False
        if row.is_bar:
            self.bar = row.text.strip()

    def _line_end(self) -> list[bytes]:
        row = self._rows[self._cursor]
        self._is_back = False
        self._cursor += 1
        self._rows[self._cursor :] = [_Row(), *self._rows[self._cursor + 1 :]]
        return self._release(self._cursor) if not row.is_bar or self._cursor > _MOST_ROWS else []

    def _release(self, count: int) -> list[bytes]:
        released, self._rows = self._rows[:count], self._rows[count:] or [_Row()]
        self._cursor = 0
        self.bar = b""
        # A bar that is done may wipe its row.
        return [row.text for row in released if row.text.strip() or not row.is_bar]
