"""Text of new code: the user's expressions at another indentation, calls and lists that fit the line or don't."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from migrate_trainers.reading.program import Program
    from migrate_trainers.reading.source import Edit

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
    return sequence(f"{function}(", arguments, ")", indent, unit, before=before, spread=spread)


def sequence(
    opening: str,
    arguments: Iterable[Argument],
    closing: str,
    indent: str,
    unit: str,
    *,
    before: str = "",
    spread: bool = False,
) -> str:
    """Items in brackets, in one line where they fit behind `before`, else one a line."""
    arguments = tuple(arguments)
    line = f"{opening}{', '.join(argument.text for argument in arguments)}{closing}"
    commented = any(argument.comments or argument.trailing for argument in arguments)
    fits = "\n" not in line and len(indent) + len(before) + len(line) <= LINE_LENGTH
    if not arguments or (fits and not spread and not commented):
        return line
    lines = [opening]
    for argument in arguments:
        lines += [f"{indent}{unit}{comment}" for comment in argument.comments]
        trailing = f"  {argument.trailing}" if argument.trailing else ""
        lines.append(f"{indent}{unit}{argument.text},{trailing}")
    lines.append(f"{indent}{closing}")
    return "\n".join(lines)


def relocated(
    program: Program,
    node: cst.BaseExpression,
    indent: str,
    substitutions: Mapping[cst.CSTNode, str] | None = None,
    edits: Iterable[Edit] = (),
) -> str:
    """An expression's text for a line indented by `indent`, with some of its parts replaced.

    `edits` may reach beyond the expression; those inside it are made. Lines that start inside a string keep their text.
    """
    source = program.source
    start, end = program.outer_span(node)
    replaced = [(edit.start, edit.end, edit.text) for edit in edits if start <= edit.start and edit.end <= end]
    for part, text in (substitutions or {}).items():
        if program.contains(node, part):
            assert isinstance(part, cst.BaseExpression)
            replaced.append((*program.outer_span(part), text))
    base = source.indent_at(start)
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


def names_in(node: cst.CSTNode) -> set[str]:
    """Every identifier in an expression, attributes and keywords included."""
    if isinstance(node, cst.Name):
        return {node.value}
    return {name for child in node.children for name in names_in(child)}


def free_name(used: Collection[str], *candidates: str) -> str:
    """The first candidate that isn't used, else the first one numbered."""
    for candidate in candidates:
        if candidate not in used:
            return candidate
    number = 2
    while f"{candidates[0]}_{number}" in used:
        number += 1
    return f"{candidates[0]}_{number}"


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
