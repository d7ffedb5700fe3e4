"""Lines that part a program into cells: what is written for one cell never stands in another.

They are comments: those of Databricks notebooks exported as `.py`, the `# %%` of VS Code, Spyder and Jupytext, the
`# In[1]:` of `jupyter nbconvert`, and the tool's own between the cells of a notebook that it reads as one program. What
Colab, nbdev and Quarto read at the top of a cell (`#@title`, `#| export`) belongs to its first line, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrate_trainers.reading.source import Source

# What stands for a line of a notebook that is no Python: a call of a function that doesn't exist.
PLACEHOLDER = re.compile(r"__magic_\d+__\([^()]*\)")
_OWN = r"# <migrate-trainers: cell (\d+)>"
_BOUNDARY = re.compile(
    r"#[ ]?%%|# COMMAND -{5,}|# (?:DBTITLE|MAGIC)\b|# Databricks notebook source|# In\[[ \d]*\]:"
    r"|#[ ]?@(?:markdown|title)\b|#\||" + _OWN
)
_BOUNDARY_BELOW = re.compile(rf"\n(?:{_BOUNDARY.pattern})")
_LANDMARK = re.compile(rf"^(?:{_BOUNDARY.pattern}).*|{PLACEHOLDER.pattern}", re.MULTILINE)
OWN_BOUNDARY = re.compile(rf"^{_OWN}\n", re.MULTILINE)


def own_boundary(number: int) -> str:
    """The line above a cell in the program that a notebook's cells make together."""
    return f"# <migrate-trainers: cell {number}>\n"


def is_boundary(line: str) -> bool:
    """Whether a line parts two cells."""
    return _BOUNDARY.match(line) is not None


def crosses_boundary(source: Source, start: int, end: int) -> bool:
    """Whether a line between two offsets parts two cells."""
    return _BOUNDARY_BELOW.search(source.slice(start, end)) is not None


def landmarks(text: str) -> list[str]:
    """What a migration leaves in its order: the lines that part cells, and what stands for lines that are no Python."""
    return [found[0].rstrip("\r") for found in _LANDMARK.finditer(text)]
