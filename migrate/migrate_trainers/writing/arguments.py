"""Reading a call's arguments, and editing them in place without touching their neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.writing.comments import behind_keyword
from migrate_trainers.writing.render import LINE_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from migrate_trainers.reading.program import Program


def keyword_argument(call: cst.Call, name: str) -> cst.Arg | None:
    """The argument that a call gives by a keyword."""
    return next((one for one in call.args if one.keyword is not None and one.keyword.value == name), None)


def bound_arguments(call: cst.Call, positional: Sequence[str]) -> dict[str, cst.Arg] | None:
    """A call's arguments by parameter name, or None where a star, or too many positions, hide which is which."""
    bound: dict[str, cst.Arg] = {}
    names = iter(positional)
    for argument in call.args:
        if argument.star:
            return None
        name = argument.keyword.value if argument.keyword is not None else next(names, None)
        if name is None or name in bound:
            return None
        bound[name] = argument
    return bound


class ArgumentEdits:
    """Changes to the arguments of one call; `edits` gives them as text edits that don't overlap."""

    def __init__(self, program: Program, call: cst.Call) -> None:
        self._program = program
        self._call = call
        self._replaced: dict[cst.Arg, str] = {}
        self._renamed: dict[cst.Arg, Edit] = {}
        self._removed: set[cst.Arg] = set()
        self._taken: set[cst.Arg] = set()
        self._moved: set[cst.Arg] = set()
        self._appended: list[Callable[[str], str]] = []
        self._prepended: str | None = None
        self._is_spread = False
        self._base_indent: str | None = None
        self._own_line: str | None = None

    def replace(self, argument: cst.Arg, text: str) -> None:
        self._replaced[argument] = text

    def rename(self, argument: cst.Arg, name: str) -> None:
        """Give an argument another keyword, or its first one if it is positional."""
        if argument.keyword is not None:
            self._renamed[argument] = Edit(*self._program.span(argument.keyword), name)
        else:
            start = self._program.span(argument)[0]
            self._renamed[argument] = Edit(start, start, f"{name}=")

    def remove(self, argument: cst.Arg, *, moves: bool = False) -> None:
        """Take out an argument; with the comments in its value, if that moves to where the caller writes it."""
        self._removed.add(argument)
        if moves:
            self._moved.add(argument)

    def take(self, argument: cst.Arg) -> tuple[int, int]:
        """Take out an argument with the comments above, in and behind it, which the caller writes elsewhere.

        Returns the region that holds them all.
        """
        self._removed.add(argument)
        self._taken.add(argument)
        return self._region(argument)

    def append(self, render: Callable[[str], str]) -> None:
        """Add an argument behind the others; `render` gives its text for a line of a given indentation."""
        self._appended.append(render)

    def stand_at(self, indent: str) -> None:
        """Note that the call's line gets another indentation."""
        self._base_indent = indent

    def prepend(self, text: str) -> None:
        """Put a positional argument before the others."""
        self._prepended = text

    def base_indent(self) -> str:
        """The indentation of the line on which the call starts."""
        if self._base_indent is not None:
            return self._base_indent
        return self._program.indent(self._call)

    @property
    def indent(self) -> str | None:
        """The indentation of the arguments where each has a line of its own (but perhaps the first), else None."""
        arguments = self._call.args
        own_line = [argument for argument in arguments if self._line_head(argument).strip() == ""]
        if not own_line or own_line[-1] is not arguments[-1] or len(own_line) < len(arguments) - 1:
            return None
        return self._line_head(own_line[0])

    def _line_head(self, argument: cst.Arg) -> str:
        source = self._program.source
        start = self._program.span(argument)[0]
        return source.slice(source.line_start(start), start)

    def edits(self) -> list[Edit]:
        program, arguments = self._program, self._call.args
        edits = [
            Edit(*program.span(argument), f"{self._comments_of(argument)}{text}")
            for argument, text in self._replaced.items()
            if argument not in self._removed
        ]
        edits += [edit for argument, edit in self._renamed.items() if argument not in self._removed]
        kept = [argument for argument in arguments if argument not in self._removed]
        if self._prepended is not None:
            first = program.span(kept[0])[0] if kept else program.span(self._call)[1] - 1
            separator = ", " if self.line_indent is None else f",\n{self.line_indent}"
            edits.append(Edit(first, first, self._prepended + (separator if kept or self._appended else "")))
        if self.spreads():
            inner = self.base_indent() + program.module.default_indent
            # First, as a new keyword goes behind the line break where both stand at one offset.
            return self._spread(kept, inner, [render(inner) for render in self._appended]) + edits
        index = 0
        while index < len(arguments):
            if arguments[index] not in self._removed:
                index += 1
                continue
            last = index
            while last + 1 < len(arguments) and arguments[last + 1] in self._removed:
                last += 1
            edits.append(self._removal(index, last))
            index = last + 1
        return edits + self._appending(kept)

    def _comments_of(self, argument: cst.Arg) -> str:
        """The comments behind the keyword of an argument that is replaced, on lines of their own above it."""
        inner = self.indent or self.base_indent() + self._program.module.default_indent
        comments = behind_keyword(self._program, argument)
        return "".join(f"{self._program.text(comment)}\n{inner}" for comment in comments)

    def _opening(self) -> int:
        """Offset just past the parenthesis that opens the arguments."""
        return self._program.source.buffer.index(b"(", self._program.span(self._call.func)[1]) + 1

    def _end(self, argument: cst.Arg) -> int:
        """Offset just past an argument and its comma."""
        end = self._program.span(argument)[1]
        if isinstance(argument.comma, cst.Comma):
            return self._program.source.buffer.index(b",", end) + 1
        return end

    def _region(self, argument: cst.Arg) -> tuple[int, int]:
        """An argument with its comma, the comment lines above it, and the comment behind it on its last line."""
        source = self._program.source
        start, end = self._program.span(argument)[0], self._end(argument)
        first = source.line_start(start)
        while first > 0 and not source.slice(source.line_start(start), start).strip():
            above = source.slice(source.line_start(first - 1), first)
            if not above.lstrip().startswith("#"):
                break
            first = source.line_start(first - 1)
            start = first + len(above.encode()) - len(above.lstrip().encode())
        behind = source.slice(end, source.line_end(end))
        return start, end + len(behind.rstrip().encode()) if behind.lstrip().startswith("#") else end

    def _removal(self, first: int, last: int) -> Edit:
        """Take out a run of arguments; comments inside and behind them stay, on lines of their own."""
        source, arguments = self._program.source, self._call.args
        close = self._program.span(self._call)[1] - 1
        start = self._program.span(arguments[first])[0]
        end = self._end(arguments[last])
        taken = [self._region(argument) for argument in arguments[first : last + 1] if argument in self._taken]
        if arguments[first] in self._taken:
            start = taken[0][0]
        following = self._program.span(arguments[last + 1])[0] if last + 1 < len(arguments) else None
        line_end = source.line_end(end)
        if following is None and source.slice(end, line_end).lstrip().startswith("#"):
            end += len(source.slice(end, line_end).rstrip().encode())
        inner = self.indent or self.base_indent() + self._program.module.default_indent
        shares_line = bool(source.slice(source.line_start(start), start).strip())
        if following is None and first == 0:
            low, high = self._opening(), close
        elif following is None:
            low, high = self._program.span(arguments[first - 1])[1] if shares_line else start, end
        else:
            low, high = start, following
        comments = [
            self._program.text(comment)
            for comment in self._program.comments
            if low <= self._program.span(comment)[0] < high
            and not any(low <= self._program.span(comment)[0] < high for low, high in taken)
            and not any(self._program.contains(argument.value, comment) for argument in self._moved)
        ]
        if following is not None and not comments and not taken and self._ends_a_line(first, end):
            return Edit(self._end(arguments[first - 1]), end, "")
        if following is not None:
            return Edit(start, following, "".join(f"{comment}\n{inner}" for comment in comments))
        kept = "".join(f"\n{inner}{comment}" for comment in comments)
        closes = not source.slice(end, close).strip(" \t")
        if kept and closes:
            kept += f"\n{self.base_indent()}"
            end = close
        line_start = source.line_start(start)
        if first > 0 and not source.slice(line_start, start).strip():
            newline = line_start - (2 if source.buffer[line_start - 2 : line_start] == b"\r\n" else 1)
            before = self._program.span(arguments[first - 1])[1]
            between = source.slice(before, newline)
            if closes and not kept and "#" in between:
                return Edit(line_start, end, self.base_indent())
            # No comma belongs before a parenthesis that moves up.
            return Edit(before if closes and not kept and between.strip() == "," else newline, end, kept)
        if first > 0:
            has_comma = isinstance(arguments[last].comma, cst.Comma) and not comments
            return Edit(self._program.span(arguments[first - 1])[1], end - has_comma, kept)
        if not comments:
            return Edit(self._opening(), close, "")
        return Edit(low, close, kept if closes else f"{kept}\n{self.base_indent()}")

    def _ends_a_line(self, first: int, end: int) -> bool:
        """Whether a run of arguments follows others on a line, and the next ones stand on a new line."""
        source, program = self._program.source, self._program
        if first == 0:
            return False
        between = source.slice(self._end(self._call.args[first - 1]), program.span(self._call.args[first])[0])
        return not between.strip() and "\n" not in between and not source.slice(end, source.line_end(end)).strip()

    def _appending(self, kept: list[cst.Arg]) -> list[Edit]:
        if not self._appended:
            return []
        if self.indent is not None and kept:
            return self._append_lines(kept[-1], self.indent)
        line = ", ".join(render(self.base_indent() + self._program.module.default_indent) for render in self._appended)
        if not kept:
            place = self._program.span(self._call)[1] - 1
            return [Edit(place, place, line)]
        last = kept[-1]
        has_comma = isinstance(last.comma, cst.Comma) and last is self._call.args[-1]
        place = self._end(last) if has_comma else self._program.span(last)[1]
        return [Edit(place, place, (" " if has_comma else ", ") + line)]

    def spread(self) -> None:
        """Give every argument a line of its own, if all stand on one now."""
        self._is_spread = True

    def spread_if_too_long(self, growth: int) -> None:
        """Spread a one-line call that some more characters would make too long a line."""
        if self._line_length() + growth > LINE_LENGTH:
            self.spread()

    def spread_around(self, inner: ArgumentEdits) -> None:
        """Spread this call because one among its arguments spreads, which then starts on a line of its own."""
        self.spread()
        if self.spreads():
            inner.stand_at(self.base_indent() + self._program.module.default_indent)

    def make_room_for(self, inner: ArgumentEdits, argument: cst.Arg) -> None:
        """Spread this call if one among its arguments gets too long for their line; that may fit a line of its own."""
        if not inner.spreads():
            return
        self.spread_around(inner)
        if self.spreads():
            inner._own_line = f"{self.line_indent}{self._program.text(argument).rstrip(' ,')},"

    @property
    def line_indent(self) -> str | None:
        """The indentation that the arguments will have on lines of their own, None where they share one."""
        if self.spreads():
            return self.base_indent() + self._program.module.default_indent
        return self.indent

    def spreads(self) -> bool:
        """Whether the edits give every argument a line of its own."""
        if (len(self._call.args) > 1 and self.indent is not None) or (self.indent is not None and not self._is_spread):
            return False
        inner = self.base_indent() + self._program.module.default_indent
        return self._fits_no_line([render(inner) for render in self._appended])

    def _fits_no_line(self, texts: list[str]) -> bool:
        if not self._has_one_line():
            return False
        line = ", ".join(texts)
        return self._is_spread or "\n" in line or (bool(line) and self._line_length() + len(line) + 2 > LINE_LENGTH)

    def _append_lines(self, last: cst.Arg, indent: str) -> list[Edit]:
        """New arguments on lines of their own, behind the last argument's trailing comment."""
        source = self._program.source
        text = "".join(f"\n{indent}{render(indent)}," for render in self._appended)
        end = self._program.span(last)[1]
        has_comma = isinstance(last.comma, cst.Comma)
        line_end = source.line_end(end)
        while line_end > end and source.buffer[line_end - 1 : line_end] in (b"\n", b"\r"):
            line_end -= 1
        if line_end > self._program.span(self._call)[1] - 1:
            # The closing parenthesis stands on the last argument's line.
            place = self._end(last) if has_comma else end
            return [Edit(place, place, ("" if has_comma else ",") + text.rstrip(","))]
        if has_comma:
            return [Edit(line_end, line_end, text)]
        if line_end == end:
            return [Edit(end, end, "," + text)]
        return [Edit(end, end, ","), Edit(line_end, line_end, text)]

    def _has_one_line(self) -> bool:
        """Whether all arguments stand on one line, with no comment before or behind them."""
        arguments = self._call.args
        start, end = self._program.span(self._call)
        if arguments:
            start, last = self._program.span(arguments[0])[0], self._program.span(arguments[-1])[1]
            buffer = self._program.source.buffer
            if b"#" in buffer[self._opening() : start] or b"#" in buffer[last:end]:
                return False
            end = last
        return b"\n" not in self._program.source.buffer[start:end]

    def _line_length(self) -> int:
        if self._own_line is not None:
            return len(self._own_line)
        source = self._program.source
        start = self._program.span(self._call)[0]
        return len(source.slice(source.line_start(start), source.line_end(start)).rstrip())

    def _spread(self, kept: list[cst.Arg], inner: str, texts: list[str]) -> list[Edit]:
        """Put every argument of a one-line call on a line of its own, the new ones last."""
        edits = []
        before = self._opening()
        close = self._program.span(self._call)[1] - 1
        for argument in kept:
            edits.append(Edit(before, self._program.span(argument)[0], f"\n{inner}"))
            before = self._end(argument)
        lead = "," if kept and not isinstance(kept[-1].comma, cst.Comma) else ""
        tail = "".join(f"\n{inner}{text}," for text in texts)
        edits.append(Edit(before, close, f"{lead}{tail}\n{self.base_indent()}"))
        return edits
