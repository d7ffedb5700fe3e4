"""Where a run is stored: one interface for local directories and for what fsspec reaches.

A checkpoint appears in three steps. The driver `begin`s it, which leaves a mark; each worker that reports files
`persist`s them; the driver `commit`s it, writes the snapshot that names it, and `settle`s it, which takes the mark
away. What a mark names and the snapshot does not is rubbish of an interrupted run, for `recover` to remove.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from train_runtime._filesystems import is_local, resolve_url

if TYPE_CHECKING:
    from collections.abc import Collection

    from train_runtime.checkpoint import Checkpoint


class RunFolder(Protocol):
    """One run's directory; picklable, as workers store their checkpoints themselves."""

    path: str
    filesystem: Any
    """The filesystem that `path` is on; None for the local one."""
    flush_interval_s: ClassVar[float]
    """How long a report may wait to be written to the files of reports."""

    is_remote: ClassVar[bool]
    """Whether it is anything but a directory of this machine."""
    replaces_at_once: ClassVar[bool]
    """Whether a checkpoint can be replaced by another one of its name in one step."""

    def boot(self) -> str | None:
        """What names this start of the system, if files that are not synced are lost with it."""
        ...

    def checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint of that name."""
        ...

    def name_of(self, checkpoint: Checkpoint) -> str | None:
        """The name of a checkpoint that lies in this folder; None for any other."""
        ...

    def is_inside(self, checkpoint: Checkpoint) -> bool:
        """Whether the folder lies in the checkpoint's directory."""
        ...

    def create(self) -> None:
        """Make the folder if it is not there.

        Raises:
            OSError: if it cannot be written to.
        """
        ...

    def read(self, name: str) -> str | None:
        """A file's text; None if there is no such file."""
        ...

    def write(self, name: str, text: str, *, sync: bool = False) -> None:
        """Replace a file in one step; with `sync` it outlives a power failure."""
        ...

    def append(self, name: str, data: bytes) -> None:
        """Add to a file's end."""
        ...

    def remove(self, pattern: str) -> None:
        """Delete the files of that name, which may have wildcards."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is a checkpoint of that name."""
        ...

    def begin(self, name: str) -> None:
        """Mark the checkpoint as incomplete."""
        ...

    def persist(self, checkpoint: Checkpoint, name: str, rank: int, *, give_away: bool) -> None:
        """Store one rank's files of a checkpoint that was begun; in the worker.

        With `give_away` the source is gone afterwards.
        """
        ...

    def commit(self, name: str) -> None:
        """Let what the ranks persisted appear under its name."""
        ...

    def settle(self, name: str) -> None:
        """Take the mark away: the snapshot names the checkpoint."""
        ...

    def abort(self, name: str) -> None:
        """Undo `begin`, `persist` and `commit`; a checkpoint that was replaced is there again."""
        ...

    def delete(self, name: str) -> None:
        """Delete a checkpoint, if it is there, so that no half of it is ever seen."""
        ...

    def recover(self, registered: Collection[str]) -> None:
        """Remove what an interrupted run left, which is nothing that is registered."""
        ...

    def sync(self, name: str) -> None:
        """Wait until the checkpoint's files outlive a power failure."""
        ...

    def has_room_for(self, copies: int, of: str) -> bool:
        """Whether that many checkpoints of the size of one that is there surely find room."""
        ...


def open_folder(path: str | os.PathLike[str], filesystem: Any = None) -> RunFolder:
    """The folder of a path or URL, or of a path on a pyarrow or fsspec filesystem; nothing is created.

    Raises:
        ImportError: if the URL's driver is not installed; the message names the package.
        ValueError: for a filesystem that only one process can see.
    """
    from train_runtime._local_folder import LocalFolder

    text = os.fspath(path).removeprefix("file://")
    if filesystem is None and "://" not in text:
        return LocalFolder(str(Path(text).expanduser().absolute()))
    if filesystem is None:
        filesystem, text = resolve_url(text)
    if is_local(filesystem):
        return LocalFolder(str(Path(text).expanduser().absolute()), filesystem)
    if type(filesystem).__name__ == "MemoryFileSystem":
        raise ValueError(
            f"{path} is in the memory of one process, which workers do not share: give a local directory or a URL."
        )
    from train_runtime._remote_folder import RemoteFolder

    return RemoteFolder(text.rstrip("/"), filesystem)
