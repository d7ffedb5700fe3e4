"""reStructuredText pages: the directives that show Python, and doctest blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrate_trainers.containers.blocks import Block, has_prompt, inputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DIRECTIVE = re.compile(r"[ \t]*\.\. +(?P<name>[\w:+.-]+)::(?:[ \t]+(?P<argument>.*))?$")
# A comment: no directive, target, footnote or substitution.
_COMMENT = re.compile(r"[ \t]*\.\.(?:[ \t]+(?!_|\[|\||__)|$)")
_OPTION = re.compile(r"[ \t]+:[\w-]+:")
_CODE = frozenset({"code", "code-block", "sourcecode"})
_PYTHON = frozenset({"doctest", "jupyter-execute", "testcode", "testsetup"})
_LANGUAGES = frozenset({"default", "ipython3", "py", "py3", "pycon", "python", "python3"})
# Directives whose content is no text of the page.
_OPAQUE = _CODE | frozenset(
    {"csv-table", "graphviz", "highlight", "ipython", "literalinclude", "math", "mermaid", "raw"}
)
_OPAQUE |= frozenset({"parsed-literal", "prompt", "testoutput"})


def restructured_blocks(lines: Sequence[str]) -> Iterator[Block]:
    """The blocks of Python in a page, in order."""
    index = 0
    while index < len(lines):
        line = lines[index]
        directive = _DIRECTIVE.match(line)
        end = _end_of_content(lines, index)
        if directive is not None:
            name, language = directive["name"].rpartition(":")[2], (directive["argument"] or "").strip().lower()
            if name in _PYTHON or (name in _CODE and language in _LANGUAGES - {"default"}):
                yield from _directive_blocks(lines, index + 1, end)
                index = end
            else:
                index = end if name in _OPAQUE else index + 1
        elif _COMMENT.match(line) or line.rstrip().endswith("::"):
            index = end
        elif has_prompt([line]):
            end = next((stop for stop in range(index, len(lines)) if not lines[stop].strip()), len(lines))
            yield from inputs(lines, index, end)
            index = end
        else:
            index += 1


def _end_of_content(lines: Sequence[str], index: int) -> int:
    """Just past the last line that belongs to the one at an index, as it stands further in."""
    indent = _indent(lines[index])
    end = index + 1
    for number in range(index + 1, len(lines)):
        if lines[number].strip():
            if _indent(lines[number]) <= indent:
                break
            end = number + 1
    return end


def _directive_blocks(lines: Sequence[str], start: int, end: int) -> Iterator[Block]:
    while start < end and _OPTION.match(lines[start]):
        start += 1
    while start < end and not lines[start].strip():
        start += 1
    if start >= end:
        return
    if has_prompt(lines[start:end]):
        yield from inputs(lines, start, end)
        return
    width = min(_indent(line) for line in lines[start:end] if line.strip())
    if any("\t" in line[:width] for line in lines[start:end]):
        return  # Docutils makes spaces of tabs.
    code = [(line[:width], line[width:]) for line in lines[start:end]]
    yield Block(start, tuple(part for _, part in code), tuple(prefix for prefix, _ in code))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
