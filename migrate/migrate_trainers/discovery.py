"""Which files a run looks at: git's own list inside a work tree, else the folders themselves."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from migrate_trainers.containers import NOTEBOOK_SUFFIXES, PAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUFFIXES = (".py", ".pyi", *NOTEBOOK_SUFFIXES)
# Folders that hold other people's code or a tool's own files.
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


def python_files(paths: Iterable[Path], *, pages: bool = False) -> Iterator[Path]:
    """The Python files and notebooks among and below some paths, each once, and the `pages` with code blocks.

    A file given by name is taken whatever its suffix.
    """
    seen: set[Path] = set()
    suffixes = _SUFFIXES + PAGE_SUFFIXES if pages else _SUFFIXES
    for path in paths:
        found = _below(path, suffixes) if path.is_dir() else [path]
        for file in found:
            if file not in seen:
                seen.add(file)
                yield file


def files_around(paths: Iterable[Path]) -> Iterator[Path]:
    """The Python files of the trees that some paths belong to: a git work tree, else a folder with its packages."""
    seen: set[Path] = set()
    for path in paths:
        folder = path if path.is_dir() else path.parent
        if not folder.is_dir():
            continue
        root = _work_tree(folder)
        if root not in seen and folder not in seen:
            seen |= {folder} if root is None else {root}
            yield from _packages_below(folder) if root is None else _below(root)


def _work_tree(folder: Path) -> Path | None:
    try:
        command = ["git", "rev-parse", "--show-toplevel"]
        name = subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return Path(os.fsdecode(name.rstrip(b"\n")))


def _packages_below(folder: Path) -> Iterator[Path]:
    """A folder's own files, and those of the packages in it."""
    for entry in sorted(folder.iterdir()):
        if entry.suffix == ".py" and entry.is_file():
            yield entry
        elif (entry / "__init__.py").is_file():
            yield from _packages_below(entry)


def _below(folder: Path, suffixes: tuple[str, ...] = _SUFFIXES) -> Iterator[Path]:
    listed = _git_files(folder)
    if listed is None:
        yield from _walk(folder, suffixes)
        return
    for file in listed:
        if file.suffix in suffixes and file.is_file():
            yield file


def _git_files(folder: Path) -> list[Path] | None:
    """Tracked and untracked files that git doesn't ignore, or None outside a work tree."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    names = sorted(set(listing.split(b"\0")) - {b""})
    return [folder / os.fsdecode(name) for name in names]


def _walk(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(".") and entry.name not in _SKIPPED_FOLDERS:
                yield from _walk(Path(entry.path), suffixes)
        elif entry.name.endswith(suffixes) and entry.is_file():
            yield Path(entry.path)
