"""Lines of code in colours, as HTML."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from markupsafe import Markup, escape
from pygments.lexers import get_lexer_for_filename
from pygments.lexers.python import PythonLexer
from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pygments.lexer import Lexer

# Both are readable on the backgrounds of added and removed lines.
_LIGHT, _DARK = "xcode", "github-dark"
# Longer texts, which are generated ones, would take seconds; they stay without colours.
_LONGEST = 500_000

Token = tuple[str, str]
Span = tuple[int, int]


def coloured_lines(text: str, file_name: str) -> list[list[Token]]:
    """The lines of a text as pieces with their classes; a notebook's cells are Python."""
    if len(text) > _LONGEST:
        return [[("", line)] if line else [] for line in text.split("\n")]
    lines: list[list[Token]] = [[]]
    for kind, value in _lexer(file_name).get_tokens(text):
        while kind not in STANDARD_TYPES and kind.parent is not None:
            kind = kind.parent
        for index, piece in enumerate(value.split("\n")):
            if index:
                lines.append([])
            if piece:
                lines[-1].append((STANDARD_TYPES[kind], piece))
    return lines


@cache
def _lexer(file_name: str) -> Lexer:
    options = {"stripnl": False, "ensurenl": False}
    if not file_name.endswith((".md", ".rst")):
        return PythonLexer(**options)
    try:
        return get_lexer_for_filename(file_name, **options)
    except ClassNotFound:
        return PythonLexer(**options)


def as_html(tokens: Sequence[Token], marked: Sequence[Span] = ()) -> Markup:
    """A line as HTML, with some of its characters (start and end) marked."""
    edges = sorted({edge for span in marked for edge in span})
    parts: list[Markup] = []
    start = 0
    for name, text in tokens:
        end = start + len(text)
        cuts = [start, *(edge for edge in edges if start < edge < end), end]
        for left, right in pairwise(cuts):
            piece = escape(text[left - start : right - start])
            if any(first <= left and right <= last for first, last in marked):
                piece = Markup("<mark>{}</mark>").format(piece)
            parts.append(Markup('<span class="{}">{}</span>').format(name, piece) if name else piece)
        start = end
    return Markup("").join(parts)


def style_sheet() -> str:
    """The colours of both colour schemes."""
    return f"{_rules(_LIGHT)}@media screen and (prefers-color-scheme: dark) {{\n{_rules(_DARK)}}}\n"


def _rules(style: str) -> str:
    rules = []
    for kind, look in get_style_by_name(style):
        declarations = [f"color:#{look['color']}"] if look["color"] else []
        declarations += ["font-weight:600"] if look["bold"] else []
        if declarations and STANDARD_TYPES.get(kind):
            rules.append(f"code .{STANDARD_TYPES[kind]}{{{';'.join(declarations)}}}\n")
    return "".join(rules)
