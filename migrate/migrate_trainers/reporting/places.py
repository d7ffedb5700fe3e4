"""How files are named in what a run prints: as the user gave them, and from the root of their repository."""

from __future__ import annotations

import os
from pathlib import Path


def shown(path: Path) -> str:
    """A path for people and machines to read: with slashes, and always text that can be encoded."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


def root_of(folder: Path) -> Path | None:
    """The root of the git work tree that a resolved folder is in."""
    return next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)


def base_folder() -> Path:
    """What the names of files are relative to: the root of the work tree that the tool runs in, else its folder."""
    here = Path.cwd().resolve()
    return root_of(here) or here


def name_in_repository(path: Path) -> Path:
    """A file's name from the base folder, as `git diff` has it.

    A file outside of it has its name from the root of its own work tree, else from the root of the file system. A
    symbolic link is named by the file that it leads to, which is what a run writes.
    """
    file, base = path.resolve(), base_folder()
    if not file.is_relative_to(base):
        base = root_of(file.parent) or Path(file.anchor)
    return file.relative_to(base)
