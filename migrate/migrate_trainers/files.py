"""Reading a file, and putting new bytes in its place so that it is whole at every instant."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path


class FileChangedError(OSError):
    """The file is no longer what was read."""


class FilesOnDisk(Mapping[Path, bytes]):
    """The bytes of some files by path, read whenever they are asked for; the paths are listed at the first need."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._listed = paths

    @cached_property
    def _paths(self) -> dict[Path, None]:
        return dict.fromkeys(self._listed)

    def __getitem__(self, path: Path) -> bytes:
        if path not in self._paths:
            raise KeyError(path)
        return path.read_bytes()

    def __iter__(self) -> Iterator[Path]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def replace_files(changes: Mapping[Path, tuple[bytes, bytes]]) -> None:
    """Replace the bytes of files, given as before and after: all of them, or none; modes and symbolic links stay.

    Each file is whole at every instant. Raises `FileChangedError` if one holds other bytes than before, and `OSError`
    if one can't be written; all then keep what they hold.
    """
    staged: list[tuple[str, Path, bytes]] = []
    replaced: list[tuple[Path, bytes]] = []
    try:
        for path, (before, after) in changes.items():
            target = path.resolve()
            if not os.access(target, os.W_OK):
                raise PermissionError(f"{path} is read-only")
            staged.append((_beside(target, after), target, before))
        for _, target, before in staged:
            if target.read_bytes() != before:
                raise FileChangedError(f"{target} was changed while it was being migrated")
        for name, target, before in staged:
            os.replace(name, target)
            replaced.append((target, before))
    except BaseException:
        for target, before in replaced:
            os.replace(_beside(target, before), target)
        raise
    finally:
        for name, _, _ in staged:
            with contextlib.suppress(OSError):
                os.unlink(name)


def _beside(target: Path, data: bytes) -> str:
    """The name of a new file in the folder of another, with its mode and some bytes that have reached the disk."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, target.stat().st_mode)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    return name
