"""What tests of notebooks share: writing one around some cells, and reading what became of it."""

from __future__ import annotations

import ast
import json
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from migrate_trainers import FileResult, migrate_source

if TYPE_CHECKING:
    from collections.abc import Iterable

OUTPUT = {"name": "stdout", "output_type": "stream", "text": ["LightningTrainer_1 – “done”\n"]}


def cell(source: str, **members: Any) -> dict[str, Any]:
    """A code cell that has run."""
    lines = source.splitlines(keepends=True)
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [OUTPUT],
        "source": lines,
        **members,
    }


def notebook(*cells: str | dict[str, Any], **members: Any) -> dict[str, Any]:
    """A notebook of some cells; a text starting with `#md` is a Markdown cell."""
    made = [one if isinstance(one, dict) else _cell(one) for one in cells]
    metadata = {"language_info": {"name": "python"}}
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5, **members}


def _cell(source: str) -> dict[str, Any]:
    if source.startswith("#md"):
        return {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True)}
    return cell(source)


def written(made: dict[str, Any], **style: Any) -> bytes:
    """A notebook's bytes as Jupyter writes them, or in another style of `json.dumps`."""
    return (json.dumps(made, **({"indent": 1, "ensure_ascii": False} | style)) + "\n").encode()


def migrate_notebook(*cells: str | dict[str, Any], **members: Any) -> FileResult:
    return migrate_source(written(notebook(*cells, **members)), path=PurePath("notebook.ipynb"))


def sources(data: bytes) -> list[str]:
    """The sources of a notebook's cells."""
    return ["".join(one["source"]) for one in json.loads(data.decode("utf-8-sig"))["cells"]]


def without_sources(data: bytes) -> Any:
    """Everything else in a notebook."""
    made = json.loads(data.decode("utf-8-sig"))
    for one in made["cells"]:
        del one["source"]
    return made


def in_cells(program: str, cuts: Iterable[int]) -> list[str]:
    """A program cut into cells at some of its top-level statements."""
    lines = program.splitlines(keepends=True)
    starts = [_first_line(node) - 1 for node in ast.parse(program).body]
    bounds = sorted({0, len(lines), *(starts[cut] for cut in cuts if cut < len(starts))})
    return ["".join(lines[begin:end]).strip("\n") for begin, end in pairwise(bounds)]


def _first_line(node: Any) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
