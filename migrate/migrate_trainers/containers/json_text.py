"""Values inside JSON text, replaced so that every other byte stays."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_decode = json.JSONDecoder().raw_decode


def members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """The keys of the object that starts at an offset, each with where its value starts and ends."""
    for position in _items(text, start, "{", "}"):
        key, end = _decode(text, position)
        value = _skip(text, _skip(text, end) + 1)
        yield key, value, _decode(text, value)[1]


def elements(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Where each element of the array at an offset starts and ends."""
    for position in _items(text, start, "[", "]"):
        yield position, _decode(text, position)[1]


def _items(text: str, start: int, opening: str, closing: str) -> Iterator[int]:
    if text[start] != opening:
        raise ValueError(f"`{opening}` is missing at offset {start}")
    position = _skip(text, start + 1)
    while text[position] != closing:
        yield position
        if opening == "{":
            position = _skip(text, _skip(text, _decode(text, position)[1]) + 1)
        position = _skip(text, _decode(text, position)[1])
        position = _skip(text, position + 1) if text[position] == "," else position


def _skip(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    assert space is not None
    return space.end()


class Style:
    """How a JSON text writes characters that it needn't escape."""

    def __init__(self, text: str) -> None:
        self._escapes: dict[str, str] = {}
        for match in _ESCAPE.finditer(text):
            if match[1] is not None:
                self._escapes[chr(int(match[1], 16))] = match[0]
            elif match[2] == "/":
                self._escapes["/"] = match[0]
        is_ascii = text.isascii()
        self._escapes_all = is_ascii and any(character > "\x7f" for character in self._escapes)
        self._gap = " " if '": ' in text else ""

    def string(self, value: str) -> str:
        """A string as the text would have it."""
        written = []
        for character in value:
            plain = json.dumps(character, ensure_ascii=self._escapes_all)[1:-1]
            written.append(self._escapes.get(character, plain) if plain == character else plain)
        return f'"{"".join(written)}"'

    def lines(self, value: str, text: str, start: int) -> str:
        """A text as an array of its lines, laid out like the array that starts at an offset; lines that stay, stay."""
        places = list(elements(text, start))
        end = _decode(text, start)[1]
        lines = value.splitlines(keepends=True)
        if not lines:
            return "[]"
        kept = {_decode(text, begin)[0]: text[begin:stop] for begin, stop in places}
        head = text[start : places[0][0]] if places else "["
        tail = text[places[-1][1] : end] if places else "]"
        between = text[places[0][1] : places[1][0]] if len(places) > 1 else "," + (head[1:] or self._gap)
        return head + between.join(kept.get(line) or self.string(line) for line in lines) + tail


def loads(text: str) -> Any:
    """The value of a JSON text; raises `ValueError` for what is none."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
