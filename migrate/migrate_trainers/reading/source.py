"""The bytes of a file as text, and edits of that text that touch nothing else."""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


_BARE_CARRIAGE_RETURN = re.compile(rb"\r(?!\n)")


class UndecodableError(ValueError):
    """The bytes are not text in the encoding that they declare."""


@dataclass(frozen=True)
class Edit:
    """Replace `start:end` (offsets in `Source.buffer`) by `text`, whose line ends are `\\n`."""

    start: int
    end: int
    text: str

    @property
    def order(self) -> tuple[int, int, bool]:
        """What sorts edits: at the same place, whole lines go before text that the line goes on behind."""
        return self.start, self.end, not self.text.endswith("\n")


def without_nested(edits: Iterable[Edit]) -> list[Edit]:
    """The edits in order, but for those inside a larger one: that one was written from the text as it stood.

    Of two for the same range the later is larger: an argument without a keyword is as long as its value.
    """
    kept: list[Edit] = []
    outer = Edit(0, 0, "")
    for edit in sorted(dict.fromkeys(edits), key=lambda edit: (edit.start, -edit.end, edit.order)):
        is_inside = edit.start < outer.end and edit.end <= outer.end
        if kept and edit.start < edit.end and (kept[-1].start, kept[-1].end) == (edit.start, edit.end):
            kept[-1] = edit
        elif not is_inside or edit.start == edit.end == outer.start:
            kept.append(edit)
        if edit.end > outer.end:
            outer = edit
    return kept


@dataclass(frozen=True)
class Source:
    """A file's bytes with what is needed to put edited text back as bytes.

    `buffer` is the text as UTF-8 without a byte order mark: all offsets of the tool are offsets in it. A line end that
    is a bare carriage return is `\\n` there, which moves no offset; `raw` is the same text with the file's own.

    `earlier` is what the buffer held before some `edits`, if it is the text after a first step of the migration; their
    line ends are those of the buffer, and they are in order.
    """

    data: bytes
    encoding: str
    newline: str
    buffer: bytes
    raw: bytes = b""
    earlier: Source | None = None
    edits: tuple[Edit, ...] = ()

    @classmethod
    def decode(cls, data: bytes) -> Source:
        """Decode by byte order mark or PEP 263 cookie, else UTF-8; raises `UndecodableError`."""
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            text = data.decode(encoding)
            if b"coding" in data[:200] and "coding" not in text[:200]:
                raise UndecodableError(f"a Python file can't be in {encoding}")
            if text.encode(encoding) != data:
                raise UndecodableError(f"{encoding} does not give the same bytes back")
            raw = text.encode("utf-8")
        except (SyntaxError, UnicodeError, LookupError) as error:
            raise UndecodableError(str(error)) from error
        buffer = _BARE_CARRIAGE_RETURN.sub(b"\n", raw)
        return cls(data=data, encoding=encoding, newline=_dominant_newline(text), buffer=buffer, raw=raw)

    @cached_property
    def text(self) -> str:
        return self.buffer.decode("utf-8")

    def slice(self, start: int, end: int) -> str:
        return self.buffer[start:end].decode("utf-8")

    def line_start(self, offset: int) -> int:
        return self.buffer.rfind(b"\n", 0, offset) + 1

    def indent_at(self, offset: int) -> str:
        """The white space in front of the line that holds `offset`, as far as it."""
        line = self.slice(self.line_start(offset), offset)
        return line[: len(line) - len(line.lstrip())]

    def line_end(self, offset: int) -> int:
        """Offset just past the line end of the line that holds `offset`."""
        found = self.buffer.find(b"\n", offset)
        return len(self.buffer) if found < 0 else found + 1

    def rewritten(self, edits: Iterable[Edit]) -> Source:
        """The text after a first step of the migration; positions are still those in the file."""
        ordered = sorted(edits, key=lambda edit: edit.order)
        held = "\n" if self.newline == "\r" else self.newline
        made = tuple(replace(edit, text=edit.text.replace("\n", held)) for edit in ordered)
        buffer, raw = _spliced(self.buffer, made, "\n"), _spliced(self.raw, ordered, self.newline)
        return replace(self, buffer=buffer, raw=raw, earlier=self, edits=made)

    def position(self, offset: int) -> tuple[int, int]:
        """1-based line and column (in characters) in the file of what stands at an offset."""
        if self.earlier is not None:
            return self.earlier.position(self._earlier_offset(offset))
        start = self.line_start(offset)
        return self.buffer.count(b"\n", 0, start) + 1, len(self.slice(start, offset)) + 1

    def apply(self, edits: Iterable[Edit]) -> bytes:
        """The file's bytes with the edits made; overlapping edits are a mistake of the caller (`ValueError`)."""
        ordered = sorted(edits, key=lambda edit: edit.order)
        return _spliced(self.raw, ordered, self.newline).decode("utf-8").encode(self.encoding)

    def _earlier_offset(self, offset: int) -> int:
        """Where something stood before the edits; the start of an edit for what one has written."""
        moved = 0
        for edit in self.edits:
            start, length = edit.start + moved, len(edit.text.encode("utf-8"))
            if offset < start:
                break
            if offset < start + length:
                return edit.start
            moved += length - (edit.end - edit.start)
        return offset - moved


def _spliced(held: bytes, edits: Iterable[Edit], newline: str) -> bytes:
    """A text with edits made, in order, whose lines end in a newline of the file."""
    parts: list[bytes] = []
    done = 0
    for edit in edits:
        if edit.start < done:
            raise ValueError(f"edits overlap at offset {edit.start}")
        text = edit.text if newline == "\n" else edit.text.replace("\n", newline)
        parts += [held[done : edit.start], text.encode("utf-8")]
        done = edit.end
    parts.append(held[done:])
    return b"".join(parts)


def _dominant_newline(text: str) -> str:
    crlf = text.count("\r\n")
    lf = text.count("\n") - crlf
    cr = text.count("\r") - crlf
    if cr and not lf and not crlf:
        return "\r"
    return "\r\n" if crlf > lf else "\n"
