"""Text of new code: the user's expressions at another indentation, calls with one argument a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from migrate_trainers.program import Program

LINE_LENGTH = 88


@dataclass(frozen=True)
class Argument:
    """One argument of a generated call: `name=value`, or `value` alone, with the comments that belong to it.

    `value`'s lines after the first stand at the indentation that the argument's own line has.
    """

    value: str
    name: str | None = None
    star: str = ""
    comments: tuple[str, ...] = ()
    trailing: str = ""

    @property
    def text(self) -> str:
        return f"{self.name}={self.value}" if self.name else f"{self.star}{self.value}"


def call(
    function: str, arguments: Iterable[Argument], indent: str, unit: str, *, before: str = "", spread: bool = False
) -> str:
    """A call in one line where it fits behind `before`, else with an argument a line; `indent` is its line's."""
    arguments = tuple(arguments)
    line = f"{function}({', '.join(argument.text for argument in arguments)})"
    commented = any(argument.comments or argument.trailing for argument in arguments)
    if not spread and not commented and "\n" not in line and len(indent) + len(before) + len(line) <= LINE_LENGTH:
        return line
    if not arguments:
        return line
    lines = [f"{function}("]
    for argument in arguments:
        lines += [f"{indent}{unit}{comment}" for comment in argument.comments]
        trailing = f"  {argument.trailing}" if argument.trailing else ""
        lines.append(f"{indent}{unit}{argument.text},{trailing}")
    lines.append(f"{indent})")
    return "\n".join(lines)


def relocated(
    program: Program,
    node: cst.BaseExpression,
    indent: str,
    substitutions: Mapping[cst.CSTNode, str] | None = None,
) -> str:
    """An expression's text for a line indented by `indent`, with some of its parts replaced.

    Lines that start inside a string keep their text.
    """
    source = program.source
    start, end = program.outer_span(node)
    replaced: list[tuple[int, int, str]] = []
    for part, text in (substitutions or {}).items():
        if program.contains(node, part):
            assert isinstance(part, cst.BaseExpression)
            replaced.append((*program.outer_span(part), text))
    line_start = source.line_start(start)
    line = source.slice(line_start, start)
    base = line[: len(line) - len(line.lstrip())]
    strings = _multiline_strings(program, node)
    offset = source.buffer.find(b"\n", start, end)
    while offset >= 0:
        first = offset + 1
        if not any(low < first < high for low, high in strings) and not any(
            low <= first < high for low, high, _ in replaced
        ):
            white = first
            while white < end and source.buffer[white : white + 1] in (b" ", b"\t"):
                white += 1
            old = source.slice(first, white)
            if source.buffer[white : white + 1] not in (b"\n", b"\r"):
                new = indent + old[len(base) :] if old.startswith(base) else indent
                replaced.append((first, white, new))
        offset = source.buffer.find(b"\n", first, end)
    parts: list[str] = []
    done = start
    for low, high, text in sorted(replaced):
        parts += [source.slice(done, low), text]
        done = high
    parts.append(source.slice(done, end))
    return "".join(parts).replace("\r\n", "\n")


def as_statement_value(text: str) -> str:
    """An expression's text as the right side of an assignment: in parentheses if it needs them to span lines."""
    if "\n" not in text:
        return text
    try:
        cst.parse_statement(f"_ = {text}\n")
    except cst.ParserSyntaxError:
        return f"({text})"
    return text


def _multiline_strings(program: Program, node: cst.CSTNode) -> list[tuple[int, int]]:
    """Spans of the strings below a node that run over lines."""
    found: list[tuple[int, int]] = []
    stack: list[cst.CSTNode] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, cst.SimpleString | cst.FormattedString):
            span = program.span(current)
            if b"\n" in program.source.buffer[slice(*span)]:
                found.append(span)
        else:
            stack.extend(current.children)
    return found
