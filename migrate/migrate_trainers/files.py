"""Reading a file, and putting new bytes in its place so that it is whole at every instant."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from migrate_trainers.progress import unwatched
from migrate_trainers.reading.prefilter import Search, may_use_legacy_name, read

if TYPE_CHECKING:
    from migrate_trainers.progress import Watch

# What a listed file may have become meanwhile, or be: gone, a link to nothing or itself, a folder, a pipe, a socket.
_NO_FILE = frozenset({errno.ENOENT, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.ENXIO, errno.EINVAL})
_SEARCHING = "Searching"
# As many files as are searched in the time in which a process starts, several times over.
_WORTH_PROCESSES = 5_000
_PART = 1_000


class FileChangedError(OSError):
    """The file is no longer what was read."""


class FilesOnDisk(Mapping[Path, bytes]):
    """The bytes of some files by path, read whenever they are asked for; the paths are listed at the first need.

    `expected` are those that somebody has named: that one is missing is an error, for another it is not. `found` are
    the hits among them, where these have been looked for already.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        expected: Iterable[str] = (),
        found: Mapping[str, bytes] | None = None,
    ) -> None:
        self._listed = paths
        self._expected = frozenset(expected)
        self._found = found

    def __reduce__(self) -> tuple[type[FilesOnDisk], tuple[list[str], frozenset[str]]]:
        return FilesOnDisk, (list(self.names), self._expected)

    @cached_property
    def names(self) -> dict[str, None]:
        return dict.fromkeys(map(str, self._listed))

    def __getitem__(self, path: Path) -> bytes:
        if path not in self:
            raise KeyError(path)
        return read(str(path))

    def __contains__(self, path: object) -> bool:
        return isinstance(path, Path) and str(path) in self.names

    def __iter__(self) -> Iterator[Path]:
        return map(Path, self.names)

    def __len__(self) -> int:
        return len(self.names)

    def hits(self, watch: Watch = unwatched, processes: int = 1) -> Iterator[tuple[Path, bytes | OSError]]:
        """The files that may use a legacy name, with their bytes, and those that can't be read, with the reason.

        A file that has several names (by symbolic links) comes once, by its own if that is among them. Very many are
        searched in so many `processes`.
        """
        real: dict[str, str] = {}
        found: dict[str, bytes | OSError] = {}
        for name, data in self._search(watch, processes):
            if isinstance(data, OSError):
                if name in self._expected or data.errno not in _NO_FILE:
                    found[name] = data
                continue
            own = os.path.realpath(name)
            known = real.setdefault(own, name)
            if known != name and os.path.islink(known) and not os.path.islink(name):
                del found[known]
                real[own] = known = name
            if known == name:
                found[name] = data
        yield from ((Path(name), data) for name, data in found.items())

    def _search(self, watch: Watch, processes: int) -> Iterator[tuple[str, bytes | OSError]]:
        names = list(self.names)
        if self._found is not None:
            yield from ((name, self._found[name]) for name in names if name in self._found)
        elif processes < 2 or len(names) < _WORTH_PROCESSES:
            yield from searched(watch(names, len(names), _SEARCHING))
        else:
            # Imported late: what most runs search is done before a process has started.
            from migrate_trainers.workers import Lost, spread

            parts = [tuple(names[start : start + _PART]) for start in range(0, len(names), _PART)]
            found = dict(watch(spread(searched, parts, processes), len(parts), _SEARCHING))
            for part in parts:
                results = found[part]
                yield from searched(part) if isinstance(results, Lost) else results


def searched(names: Iterable[str]) -> list[tuple[str, bytes | OSError]]:
    """The files that may use a legacy name, with their bytes, and those that can't be read, with the reason."""
    # Strings instead of paths: this loop runs once for each file of the largest trees.
    search = Search()
    found: list[tuple[str, bytes | OSError]] = []
    for name in names:
        try:
            data = search.hit(name)
        except OSError as error:
            found.append((name, error))
        else:
            if data is not None:
                found.append((name, data))
    return found


def hits(
    files: Mapping[Path, bytes], watch: Watch = unwatched, processes: int = 1
) -> Iterator[tuple[Path, bytes | OSError]]:
    """The files that may use a legacy name, with their bytes, and those that can't be read, with the reason."""
    if isinstance(files, FilesOnDisk):
        yield from files.hits(watch, processes)
        return
    for path in watch(files, len(files), _SEARCHING):
        try:
            data = files[path]
        except OSError as error:
            yield path, error
        else:
            if may_use_legacy_name(data):
                yield path, data


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
    # Imported late: most runs write nothing.
    import tempfile

    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        status = target.stat()
        if os.name != "nt":
            # Only the superuser can give a file away, and only then it may belong to somebody else.
            with contextlib.suppress(PermissionError):
                os.chown(name, status.st_uid, status.st_gid)
        os.chmod(name, status.st_mode)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    return name
