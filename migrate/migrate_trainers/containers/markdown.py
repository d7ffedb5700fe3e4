"""Markdown pages: fenced blocks of Python, those of MyST, Quarto and Material for MkDocs among them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from migrate_trainers.containers.blocks import Block, has_prompt, inputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LANGUAGE = r"(?:python3?|py3?|pycon|ipython3?)"
_INFO = re.compile(
    rf"\s*(?:{_LANGUAGE}(?![\w.+-])"  # ```python title="train.py"
    rf"|\{{\s*\.?{_LANGUAGE}\b[^}}]*\}}"  # ```{{python}}, ```{{ .python .annotate }}
    rf"|\{{(?:code|code-block|code-cell|sourcecode)\}}\s*{_LANGUAGE}\s*$"
    r"|\{(?:testcode|testsetup|doctest)\})",
    re.IGNORECASE,
)
_OPTION = re.compile(r":[\w-]+:")


def markdown_blocks(lines: Sequence[str]) -> Iterator[Block]:
    """The blocks of Python in a page, in order."""
    tokens = MarkdownIt("commonmark").parse("\n".join(lines))
    for token in tokens:
        if token.type == "fence" and token.map is not None and _INFO.match(token.info):
            yield from _blocks(lines, token.map[0] + 1, token.content.split("\n")[:-1])


def _blocks(lines: Sequence[str], first: int, code: Sequence[str]) -> Iterator[Block]:
    """The block whose code starts at a line of the page, or the inputs of the session that it holds."""
    shown = lines[first : first + len(code)]
    if len(shown) < len(code) or not all(line.endswith(part) for line, part in zip(shown, code, strict=True)):
        return  # Tabs that a list takes apart.
    prefixes = [line[: len(line) - len(part)] for line, part in zip(shown, code, strict=True)]
    skipped = _options(code)
    if has_prompt(code):
        yield from inputs(lines, first, first + len(code), prefixes)
    elif code[skipped:]:
        yield Block(first + skipped, tuple(code[skipped:]), tuple(prefixes[skipped:]))


def _options(code: Sequence[str]) -> int:
    """How many lines at the start are options of a MyST directive."""
    if code and code[0].strip() == "---":
        return next((index + 1 for index, line in enumerate(code[1:], start=1) if line.strip() == "---"), 0)
    return next((index for index, line in enumerate(code) if not _OPTION.match(line)), len(code))
