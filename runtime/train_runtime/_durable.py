"""Files and directories that are, at any instant, either there whole or not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_INCOMPLETE = ".incomplete"


def write_text(path: Path, text: str) -> None:
    """Replace the file's content in one step."""
    temporary = path.with_name(path.name + _INCOMPLETE)
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _fsync(path.parent)


def merge_directories(sources: Sequence[Path], target: Path) -> None:
    """Copy the files of all `sources` into `target`, which appears complete; of equal names the last source's stays.

    A `target` that exists is replaced.
    """
    temporary = target.with_name(f".{target.name}{_INCOMPLETE}")
    shutil.rmtree(temporary, ignore_errors=True)
    for source in sources:
        shutil.copytree(source, temporary, dirs_exist_ok=True)
    for directory, _, files in os.walk(temporary):
        for file in files:
            _fsync(Path(directory, file))
        _fsync(Path(directory))
    remove_directory(target)
    temporary.rename(target)
    _fsync(target.parent)


def remove_directory(path: Path) -> None:
    """Delete a directory so that no half of it is ever seen under its own name."""
    if not path.exists():
        return
    doomed = path.with_name(f".{path.name}.deleted{_INCOMPLETE}")
    shutil.rmtree(doomed, ignore_errors=True)
    path.rename(doomed)
    shutil.rmtree(doomed)


def remove_leftovers(directory: Path) -> None:
    """Delete what an interrupted process left half done in `directory`."""
    for path in directory.glob(f"*{_INCOMPLETE}"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
