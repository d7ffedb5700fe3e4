"""Files and directories that are, at any instant, either there whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What os.copy_file_range cannot do between these two files; a plain copy can.
_NO_FAST_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.ETXTBSY}
_CHUNK = 1 << 30


def write_text(path: Path, text: str, *, sync: bool) -> None:
    """Replace the file's content in one step; with `sync` it also outlives a power failure once this returns."""
    temporary = path.with_name(f".{path.name}.incomplete")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        _fsync(path.parent)


def sync_tree(directory: Path) -> None:
    """Wait until a directory's files, their names and its own name are on the disk."""
    for parent, _, files in os.walk(directory):
        for file in files:
            _fsync(Path(parent, file))
        _fsync(Path(parent))
    _fsync(directory.parent)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a directory to a name that is free; links are followed, the directories get the process's default modes.

    Raises:
        OSError: at the first file that cannot be copied; `target` is incomplete then.
    """
    target.mkdir()
    for path in source.iterdir():
        if path.is_dir():
            copy_tree(path, target / path.name)
        else:
            _copy_file(path, target / path.name)


def move_tree(source: Path, target: Path) -> None:
    """Let `source` be at `target`, by renaming it where that gives what a copy would, else by copying and deleting.

    Raises:
        OSError: if the files cannot be copied. What cannot be deleted stays.
    """
    if not any(path.is_symlink() for path in _walk(source)):
        try:
            source.rename(target)
        except OSError:
            pass  # another file system, a mount point, a parent that is not ours
        else:
            target.chmod(stat.S_IMODE(target.parent.stat().st_mode))
            return
    copy_tree(source, target)
    shutil.rmtree(source, ignore_errors=True)


def merge_tree(source: Path, target: Path) -> None:
    """Move the files of `source` into `target`, on the same file system; of equal names those of `source` stay."""
    for path in list(source.iterdir()):
        to = target / path.name
        if path.is_dir() and to.is_dir():
            merge_tree(path, to)
        else:
            path.replace(to)


def remove_tree(path: Path, doomed: Path) -> None:
    """Delete a directory, if it is there, by way of another name: no half of it is ever seen under its own."""
    shutil.rmtree(doomed, ignore_errors=True)
    try:
        path.rename(doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed)


def tree_size(directory: Path) -> int:
    """The bytes of a directory's files."""
    return sum(path.stat().st_size for path in _walk(directory) if path.is_file())


def _walk(directory: Path) -> Iterator[Path]:
    yield directory
    for parent, directories, files in os.walk(directory):
        yield from (Path(parent, name) for name in [*directories, *files])


def _copy_file(source: Path, target: Path) -> None:
    """Copy content and mode within the kernel: at once where the file system shares blocks (XFS, Btrfs)."""
    if not source.is_file():
        raise FileNotFoundError(errno.ENOENT, "Not a file, nor a link to one", str(source))
    try:
        if not hasattr(os, "copy_file_range"):  # not Linux
            raise OSError(errno.ENOSYS, "no copy_file_range")
        with source.open("rb") as reader, target.open("wb") as writer:
            while os.copy_file_range(reader.fileno(), writer.fileno(), _CHUNK):
                pass
            if os.fstat(writer.fileno()).st_size < os.fstat(reader.fileno()).st_size:
                raise OSError(errno.EOPNOTSUPP, "no such copy")  # some file systems report an early end instead
    except OSError as error:
        if error.errno not in _NO_FAST_COPY:
            error.filename = error.filename or str(target)
            raise
        shutil.copyfile(source, target)
    shutil.copymode(source, target)


def _fsync(path: Path) -> None:
    """Wait for a file or directory, unless it has been deleted meanwhile or its file system knows no waiting."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise
        finally:
            os.close(descriptor)
