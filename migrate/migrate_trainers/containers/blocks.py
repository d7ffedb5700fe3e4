"""Blocks of code in the lines of a page, and what stands in front of each of their lines."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LINE_END = re.compile(r"(\r\n?|\n)")
_PROMPT = re.compile(r"(?P<indent>[ \t]*)>>>(?: |$)")
_CONTINUATION = re.compile(r"(?P<indent>[ \t]*)(?:>>>|\.\.\.)(?: |$)")


@dataclass(frozen=True)
class Block:
    """The lines of a block: the first one's index in the page, and what stands in front of each of them there.

    In a `session` that are the prompts, too; the block is then one input of it, without outputs.
    """

    first: int
    lines: tuple[str, ...]
    prefixes: tuple[str, ...]
    session: bool = False

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def page_lines(self, text: str) -> list[str]:
        """The lines of the page that show another text in this block; those of lines that stay, stay."""
        if self.session:
            return list(self._session_lines(text))
        known = dict(zip(self.lines, self.prefixes, strict=True))
        return [known.get(line, self._prefix(line)) + line for line in text.split("\n")]

    def _prefix(self, line: str) -> str:
        return self.prefixes[0] if line else self.prefixes[0].rstrip()

    def _session_lines(self, text: str) -> Iterator[str]:
        """Each statement behind a first prompt; of the blank lines between them, the one that ends a block stays."""
        indent = self.prefixes[0][: self.prefixes[0].index(">>>")]
        inside = {
            line
            for statement in ast.parse(text).body
            for line in range(_first_line(statement) + 1, (statement.end_lineno or 0) + 1)
        }
        above = ""
        for number, line in enumerate(text.split("\n"), start=1):
            if line:
                yield f"{indent}{'...' if number in inside else '>>>'} {line}"
            elif number in inside or above.startswith((" ", "\t")):
                yield f"{indent}..."
            above = line


def split_lines(text: str) -> tuple[list[str], list[str]]:
    """The lines of a page, and the end of each, which is empty behind the last."""
    parts = _LINE_END.split(text)
    return parts[::2], [*parts[1::2], ""]


def has_prompt(lines: Sequence[str]) -> bool:
    """Whether some lines are an interactive session."""
    return any(map(_PROMPT.match, lines))


def inputs(lines: Sequence[str], first: int, end: int, outer: Sequence[str] = ()) -> Iterator[Block]:
    """The inputs of the sessions among some lines of a page, each with the lines up to its output.

    `outer` are what stands in front of the lines before their own white space.
    """
    start = first
    while start < end:
        before = len(outer[start - first]) if outer else 0
        prompt = _PROMPT.match(lines[start], before)
        stop = start + 1
        if prompt is not None:
            while stop < end and _continues(lines[stop], len(outer[stop - first]) if outer else 0, prompt["indent"]):
                stop += 1
            yield _input(lines, start, stop, before + len(prompt["indent"]))
        start = stop


def _continues(line: str, before: int, indent: str) -> bool:
    match = _CONTINUATION.match(line, before)
    return match is not None and match["indent"] == indent


def _input(lines: Sequence[str], start: int, stop: int, indent: int) -> Block:
    prefixes = tuple(line[: indent + 4] for line in lines[start:stop])
    return Block(start, tuple(line[indent + 4 :] for line in lines[start:stop]), prefixes, session=True)


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(one.lineno for one in decorators)])
