"""The bytes of a file as text, and edits of that text that touch nothing else."""

from __future__ import annotations

import io
import tokenize
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class UndecodableError(ValueError):
    """The bytes are not text in the encoding that they declare."""


@dataclass(frozen=True)
class Edit:
    """Replace `start:end` (offsets in `Source.buffer`) by `text`, whose line ends are `\\n`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Source:
    """A file's bytes with what is needed to put edited text back as bytes.

    `buffer` is the text as UTF-8 without a byte order mark: all offsets of the tool are offsets in it. A file whose
    lines end in a bare carriage return is held with `\\n` there, which moves no offset.
    """

    data: bytes
    encoding: str
    newline: str
    buffer: bytes

    @classmethod
    def decode(cls, data: bytes) -> Source:
        """Decode by byte order mark or PEP 263 cookie, else UTF-8; raises `UndecodableError`."""
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            text = data.decode(encoding)
        except (SyntaxError, UnicodeDecodeError, LookupError) as error:
            raise UndecodableError(str(error)) from error
        newline = _dominant_newline(text)
        if newline == "\r":
            text = text.replace("\r", "\n")
        return cls(data=data, encoding=encoding, newline=newline, buffer=text.encode("utf-8"))

    @cached_property
    def text(self) -> str:
        return self.buffer.decode("utf-8")

    def slice(self, start: int, end: int) -> str:
        return self.buffer[start:end].decode("utf-8")

    def line_start(self, offset: int) -> int:
        return self.buffer.rfind(b"\n", 0, offset) + 1

    def line_end(self, offset: int) -> int:
        """Offset just past the line end of the line that holds `offset`."""
        found = self.buffer.find(b"\n", offset)
        return len(self.buffer) if found < 0 else found + 1

    def position(self, offset: int) -> tuple[int, int]:
        """1-based line and column (in characters) of an offset."""
        start = self.line_start(offset)
        return self.buffer.count(b"\n", 0, start) + 1, len(self.slice(start, offset)) + 1

    def apply(self, edits: Iterable[Edit]) -> bytes:
        """The file's bytes with the edits made; overlapping edits are a mistake of the caller (`ValueError`)."""
        parts: list[bytes] = []
        done = 0
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
            if edit.start < done:
                raise ValueError(f"edits overlap at offset {edit.start}")
            text = edit.text
            if self.newline == "\r\n":
                text = text.replace("\n", "\r\n")
            parts += [self.buffer[done : edit.start], text.encode("utf-8")]
            done = edit.end
        parts.append(self.buffer[done:])
        text = b"".join(parts).decode("utf-8")
        if self.newline == "\r":
            text = text.replace("\n", "\r")
        return text.encode(self.encoding)


def _dominant_newline(text: str) -> str:
    crlf = text.count("\r\n")
    lf = text.count("\n") - crlf
    cr = text.count("\r") - crlf
    if cr and not lf and not crlf:
        return "\r"
    return "\r\n" if crlf > lf else "\n"
