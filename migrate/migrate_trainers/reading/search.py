"""A cheap test that spares most files with a legacy name in their bytes the parser: it looks at the imports."""

from __future__ import annotations

import ast
import re

from migrate_trainers.reading.syntax import check_depth, check_size, syntax_tree

# What every such import has, also over several lines.
_IMPORT = re.compile(r"\b(?:from|import)\b[^\n]*(?:\\\r?\n[^\n]*)*\bray\b")


def may_import_legacy_name(text: str) -> bool:
    """Whether an import of the text may reach a legacy name; True where this Python can't parse the text.

    Raises `TooLargeError` if one may, and the text is too much to be read further.
    """
    if not _IMPORT.search(text):
        return False
    check_size(text)
    tree = syntax_tree(text)
    if tree is None:
        return True
    is_imported = any(map(_reaches_package, ast.walk(tree)))
    if is_imported:
        check_depth(tree)
    return is_imported


def _reaches_package(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return not node.level and (node.module or "").partition(".")[0] == "ray"
    return isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == "ray" for alias in node.names)
