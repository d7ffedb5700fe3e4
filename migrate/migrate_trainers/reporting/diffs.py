"""Unified diffs that `git apply` takes, as bytes for a patch and as text for people."""

from __future__ import annotations

import difflib
import io
import os
import re
import tokenize
from typing import TYPE_CHECKING

from migrate_trainers.reporting.places import name_in_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from migrate_trainers.findings import FileResult
    from migrate_trainers.reporting.report import Report

# What git writes in a name that it puts in quotes.
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\v": "\\v"}
_ESCAPES |= {"\f": "\\f"}
_QUOTED = re.compile(r'["\\\x00-\x1f\x7f\ud800-\udfff]')


def patch(report: Report) -> bytes:
    """The changes of all files as one patch."""
    return b"".join(unified_diff(path, result) for path, result in report.results.items())


def unified_diff(path: Path, result: FileResult) -> bytes:
    """The change of one file as a patch that `git apply` takes, byte for byte; empty where there is none."""
    texts = (data.decode("ascii", "surrogateescape") for data in (result.before, result.after))
    lines = [line.encode("ascii", "surrogateescape") for line in hunks(*texts)]
    return b"".join([_header(path).encode(), *lines]) if lines else b""


def text_diff(path: Path, result: FileResult) -> str:
    """The same patch as text: of a file in UTF-8 it has the same bytes, other encodings are decoded."""
    before, after = texts(result)
    lines = list(hunks(before, after))
    return "".join([_header(path), *lines]) if lines else ""


def texts(result: FileResult) -> tuple[str, str]:
    """A file's content before and after as text; a byte order mark is the first character."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(result.before).readline)
    except SyntaxError:
        encoding = "utf-8"
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    return result.before.decode(encoding, "replace"), result.after.decode(encoding, "replace")


def hunks(before: str, after: str) -> Iterator[str]:
    """The lines of a unified diff behind its header; only a line feed ends a line, as in git."""
    diff = difflib.unified_diff(split_lines(before), split_lines(after))
    for number, line in enumerate(diff):
        if number >= 2:  # The header, which has no names here.
            yield line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def split_lines(text: str) -> list[str]:
    """The lines of a text with their line feeds."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _header(path: Path) -> str:
    name = os.fsencode(name_in_repository(path).as_posix()).decode("utf-8", "surrogateescape")
    old, new = _quoted(f"a/{name}"), _quoted(f"b/{name}")
    # What follows a name with a space is only told from it by a tab.
    end = "\t" if " " in name and old == f"a/{name}" else ""
    return f"diff --git {old} {new}\n--- {old}{end}\n+++ {new}{end}\n"


def _quoted(name: str) -> str:
    """A name as git writes it: in quotes where it holds characters that a line of a patch can't."""
    escaped = _QUOTED.sub(_escaped, name)
    return name if escaped == name else f'"{escaped}"'


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return _ESCAPES.get(character) or f"\\{character.encode('utf-8', 'surrogateescape')[0]:03o}"
