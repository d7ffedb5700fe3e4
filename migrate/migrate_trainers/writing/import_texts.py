"""Import statements as text, with the comments on them that speak to other tools."""

from __future__ import annotations

import re

import libcst as cst

from migrate_trainers.reading.scopes import dotted_name
from migrate_trainers.writing.render import LINE_LENGTH

_DIRECTIVES = ("# noqa", "# type:", "# isort:", "# pylint:", "# pyright:", "# ruff:", "# fmt:", "# mypy:")
_NOQA = re.compile(r"# noqa(?::\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*))?\s*", re.IGNORECASE)
# What pycodestyle, isort and ruff find in a line because of where it stands, whatever it imports.
_OF_THE_PLACE = ("E402", "I001")


def is_directive(comment: str) -> bool:
    """Whether a comment speaks to a tool about the line on which it stands."""
    return comment.startswith(_DIRECTIVES)


def for_other_names(comment: str, *, is_below_code: bool) -> str:
    """What holds of a directive for a line with other names than those that it was written for; empty for nothing.

    Unused names were those others. Without codes it is taken to be about the place if that is below code.
    """
    noqa = _NOQA.fullmatch(comment)
    if noqa is None:
        return comment
    if noqa["codes"] is None:
        return comment if is_below_code else ""
    codes = [code for code in re.split(r"[,\s]+", noqa["codes"]) if code.upper() in _OF_THE_PLACE]
    return f"# noqa: {', '.join(codes)}" if codes else ""


def with_comments(text: str, comments: list[str]) -> str:
    """An import with comments on its first line, where tools look for them."""
    first, end, rest = text.partition("\n")
    return "  ".join([first, *filter(None, comments)]) + end + rest


def alias_text(alias: cst.ImportAlias) -> str:
    """What an import says of one name."""
    name = dotted_name(alias.name)
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return f"{name} as {alias.asname.name.value}"
    return name


def pair_text(pair: tuple[str, str | None]) -> str:
    """The same for a name and its alias."""
    name, alias = pair
    return f"{name} as {alias}" if alias else name


def import_text(module: str, local: str) -> str:
    """The statement that imports a module under a name."""
    return f"import {module}" if local == module else f"import {module} as {local}"


def from_text(module: str, names: list[str], indent: str, unit: str) -> str:
    """The statement that imports names from a module, in as many lines as it needs."""
    line = f"from {module} import {', '.join(names)}"
    if len(indent) + len(line) <= LINE_LENGTH:
        return line
    body = "".join(f"{indent}{unit}{name},\n" for name in names)
    return f"from {module} import (\n{body}{indent})"
