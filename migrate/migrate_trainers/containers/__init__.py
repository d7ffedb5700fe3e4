"""What holds Python beside plain files: notebooks, and pages with code blocks.

A container gives the programs in it as plain Python, and makes of what became of these the result for its own bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePath

    from migrate_trainers.findings import FileResult

NOTEBOOK_SUFFIXES = (".ipynb",)
MARKDOWN_SUFFIXES = (".md", ".markdown", ".mdx", ".qmd")
RESTRUCTURED_SUFFIXES = (".rst",)
PAGE_SUFFIXES = MARKDOWN_SUFFIXES + RESTRUCTURED_SUFFIXES


class Container(Protocol):
    """The bytes of a file that holds Python among other things."""

    @property
    def programs(self) -> tuple[bytes, ...]:
        """The programs, as Python files would hold them."""

    def result(self, results: Sequence[FileResult]) -> FileResult:
        """The result for the container, from those for its programs."""


def container(path: PurePath, data: bytes) -> Container | None:
    """The container that a file is by its suffix, or None for plain Python; never raises."""
    if is_notebook(path):
        from migrate_trainers.containers.notebook import Notebook

        return Notebook(data)
    if is_page(path):
        from migrate_trainers.containers.page import Page

        if path.suffix.lower() in RESTRUCTURED_SUFFIXES:
            from migrate_trainers.containers.restructured import restructured_blocks

            return Page(data, restructured_blocks)
        from migrate_trainers.containers.markdown import markdown_blocks

        return Page(data, markdown_blocks)
    return None


def looks_like_notebook(data: bytes) -> bool:
    """Whether bytes of an unknown kind are a notebook."""
    return b'"cells"' in data and data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def is_notebook(path: PurePath) -> bool:
    """Whether a file is a notebook, by its suffix."""
    return path.suffix.lower() in NOTEBOOK_SUFFIXES


def is_page(path: PurePath) -> bool:
    """Whether a file is text with code blocks, by its suffix."""
    return path.suffix.lower() in PAGE_SUFFIXES
