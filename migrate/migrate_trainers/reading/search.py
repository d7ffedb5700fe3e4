"""Cheap tests that spare most files the parser: bytes first, then the imports."""

from __future__ import annotations

import ast

from migrate_trainers.reading import legacy


def mentions_legacy_name(data: bytes) -> bool:
    """Whether the bytes hold the name of a legacy trainer or builder anywhere."""
    return any(stem in data for stem in legacy.STEMS) and any(needle in data for needle in legacy.NEEDLES)


def may_use_legacy_name(data: bytes) -> bool:
    """Whether the bytes hold such a name, and that of the package that it is imported from.

    The shortest search comes first: it tells most files of a large tree apart.
    """
    return legacy.PACKAGE in data and mentions_legacy_name(data)


def may_import_legacy_name(text: str) -> bool:
    """Whether an import of the text may reach a legacy name; True where this Python can't parse the text."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "ray" and not node.level:
            return True
        if isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == "ray" for alias in node.names):
            return True
    return False
