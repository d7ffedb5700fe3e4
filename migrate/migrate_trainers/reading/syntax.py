"""Parsing: with this Python's own parser, which may only rule things out, and as a tree of libcst."""

from __future__ import annotations

import ast
import gc
import re
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from migrate_trainers.reading.nesting import depth_of_text, depth_of_tree, joins_many_strings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import libcst as cst

# What libcst and the rules walk through without running out of stack, far more than people write.
_DEEPEST = 500
# Lines and elements, of which libcst makes some ten kilobytes each.
_LARGEST = 200_000
_FRAMES = 12_000
_OBJECTS = 100_000
_TOO_DEEP = "its code is nested too deeply"
# Lines of a backslash alone, and white space with a form feed, where no line goes on from the one above.
_LONE_BACKSLASHES = re.compile(rb"(?m)(?<!\\\n)(?<!\\\r\n)^(?:\\\r?\n)+(?=\S)")
_LEADING_FORM_FEEDS = re.compile(rb"(?m)(?<!\\\n)(?<!\\\r\n)^[ \t\f]*\f")


class TooLargeError(ValueError):
    """A source that can't be parsed with the memory and the stack that there are."""


def is_python(text: str) -> bool:
    """Whether this Python can parse a text; newer syntax than its own it can't."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def syntax_error(text: str, error: cst.ParserSyntaxError) -> tuple[str, int, int]:
    """What is wrong with a text that libcst can't parse, with the line and the column: what this Python says.

    libcst lists all tokens that it would have taken, and may name another line.
    """
    try:
        ast.parse(text)
    except SyntaxError as own:
        return own.msg, own.lineno or 1, max(own.offset or 1, 1)
    except (ValueError, RecursionError, MemoryError):
        pass
    return error.message, error.editor_line, error.editor_column


def syntax_tree(text: str) -> ast.Module | None:
    """Python's own tree of a text, or None where this Python can't parse it.

    Raises `TooLargeError` for what libcst could not parse either.
    """
    try:
        tree = ast.parse(text)
    except (RecursionError, MemoryError) as error:
        raise TooLargeError(_TOO_DEEP) from error
    except (SyntaxError, ValueError):
        if depth_of_text(text) > _DEEPEST:
            raise TooLargeError(_TOO_DEEP) from None
        return None
    return tree


def check_size(text: str) -> None:
    """Raise `TooLargeError` for a text that is too much for what comes."""
    size = text.count("\n") + text.count(",")
    if size > _LARGEST:
        raise TooLargeError(f"it has {size:,} lines and elements")
    if joins_many_strings(text):
        raise TooLargeError(_TOO_DEEP)


def check_depth(tree: ast.Module) -> None:
    """Raise `TooLargeError` for a tree that is too deep for what comes."""
    if depth_of_tree(tree) > _DEEPEST:
        raise TooLargeError(_TOO_DEEP)


@contextmanager
def foreign_code() -> Iterator[None]:
    """Room for walks through the deepest tree that `check_depth` lets pass, and silence about what is in it."""
    limit = sys.getrecursionlimit()
    thresholds = gc.get_threshold()
    sys.setrecursionlimit(max(limit, _FRAMES))
    # A tree is many objects that all stay: looking through them again and again takes longer than to make them.
    gc.set_threshold(_OBJECTS, *thresholds[1:])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        gc.set_threshold(*thresholds)
        sys.setrecursionlimit(limit)


def readable_by_libcst(data: bytes, kept: Sequence[tuple[int, int]] = ()) -> bytes:
    """A text of the same length without what libcst loses in front of statements, but for some ranges that keep theirs.

    That are form feeds, behind which Python begins to count the indentation, and lines of a backslash alone: each
    becomes the end of a blank line.
    """

    def replaced(match: re.Match[bytes]) -> bytes:
        is_kept = any(start <= match.start() < end for start, end in kept)
        return match[0] if is_kept else match[0].replace(b"\f", b"\n").replace(b"\\", b"\n")

    if b"\f" in data:
        data = _LEADING_FORM_FEEDS.sub(replaced, data)
    return _LONE_BACKSLASHES.sub(replaced, data) if _LONE_BACKSLASHES.search(data) else data
