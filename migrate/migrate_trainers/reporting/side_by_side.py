"""A text before and after as blocks of lines to set side by side, with the findings behind their lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from migrate_trainers.reporting.highlighting import Span, as_html, coloured_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

    from migrate_trainers.findings import Finding
    from migrate_trainers.reporting.sections import Section

_CONTEXT = 3
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
# Of lines that have less in common, every other word would be marked.
_ALIKE = 0.6


@dataclass(frozen=True)
class Line:
    """A line of one side (`old` or `new`), and the findings that belong behind it."""

    side: str
    kind: str
    number: int
    code: Markup
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Block:
    """Lines that stand beside each other, or how many unchanged ones are left out."""

    lines: tuple[Line, ...] = ()
    left_out: int = 0


def blocks(section: Section, file_name: str) -> Iterator[Block]:
    """What there is to see of a section: the changes and the lines with findings, with some lines around them.

    Of an unchanged section there is only the old side.
    """
    return _Sides(section, file_name).blocks()


class _Sides:
    def __init__(self, section: Section, file_name: str) -> None:
        self._changed = section.changed
        self._old_text, self._new_text = _lines(section.before), _lines(section.after)
        self._old = coloured_lines(section.before, file_name)
        self._new = coloured_lines(section.after, file_name) if section.changed else self._old
        self._findings: dict[int, list[Finding]] = {}
        for finding in section.findings:
            # A finding about the whole file, or behind its end, is shown at the next line that there is.
            index = min(finding.end_line, len(self._old_text)) - 1
            self._findings.setdefault(index, []).append(finding)
        matcher = SequenceMatcher(None, self._old_text, self._new_text)
        self._operations = matcher.get_opcodes()

    def blocks(self) -> Iterator[Block]:
        seen = self._seen()
        for operation, start, end, new_start, new_end in self._operations:
            if operation == "equal":
                yield from self._unchanged(start, end, new_start - start, seen)
            else:
                yield Block((*self._replaced(start, end, new_start, new_end),))

    def _seen(self) -> set[int]:
        """The old lines that are shown."""
        seen: set[int] = set()
        for operation, start, end, _, _ in self._operations:
            if operation != "equal":
                seen |= set(range(start - _CONTEXT, end + _CONTEXT))
        for index, findings in self._findings.items():
            first = min(index, *(finding.line - 1 for finding in findings))
            seen |= set(range(max(first, index - 2 * _CONTEXT) - _CONTEXT, index + _CONTEXT + 1))
        around = seen | {-1, len(self._old_text)}
        # To say that one line is left out takes a line.
        return seen | {index for index in range(len(self._old_text)) if {index - 1, index + 1} <= around}

    def _unchanged(self, start: int, end: int, shift: int, seen: set[int]) -> Iterator[Block]:
        lines: list[Line] = []
        left_out = 0
        for index in range(start, end):
            if index not in seen:
                if lines:
                    yield Block(tuple(lines))
                    lines = []
                left_out += 1
                continue
            if left_out:
                yield Block(left_out=left_out)
                left_out = 0
            lines.append(self._old_line(index, "context"))
            if self._changed:
                lines.append(Line("new", "context", index + shift + 1, as_html(self._new[index + shift])))
        if lines:
            yield Block(tuple(lines))
        if left_out:
            yield Block(left_out=left_out)

    def _replaced(self, start: int, end: int, new_start: int, new_end: int) -> Iterator[Line]:
        marks = [
            _changed_words(old, new)
            for old, new in zip(self._old_text[start:end], self._new_text[new_start:new_end], strict=False)
        ]
        for offset, index in enumerate(range(start, end)):
            yield self._old_line(index, "removed", marks[offset][0] if offset < len(marks) else [])
        for offset, index in enumerate(range(new_start, new_end)):
            marked = marks[offset][1] if offset < len(marks) else []
            yield Line("new", "added", index + 1, as_html(self._new[index], marked))

    def _old_line(self, index: int, kind: str, marked: Sequence[Span] = ()) -> Line:
        findings = tuple(self._findings.get(index, ()))
        return Line("old", kind, index + 1, as_html(self._old[index], marked), findings)


def _lines(text: str) -> list[str]:
    """The lines of a text, of which an empty one has one."""
    return text.removesuffix("\n").split("\n")


def _changed_words(old: str, new: str) -> tuple[list[Span], list[Span]]:
    """The characters of two lines that differ, word by word; none where they have little in common."""
    old_words, new_words = _WORDS.findall(old), _WORDS.findall(new)
    matcher = SequenceMatcher(None, old_words, new_words, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return [], []
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    return (
        [_span(old_words, start, end) for _, start, end, _, _ in changes if start < end],
        [_span(new_words, start, end) for _, _, _, start, end in changes if start < end],
    )


def _span(words: Sequence[str], start: int, end: int) -> Span:
    first = sum(map(len, words[:start]))
    return first, first + sum(map(len, words[start:end]))
