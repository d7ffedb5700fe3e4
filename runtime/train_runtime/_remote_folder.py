"""A run's folder on a filesystem that fsspec reaches, such as an object store.

Objects appear whole, but directories do not: a checkpoint counts as there once the snapshot names it, and its files are
put under their last names before that. The mark is an empty object `.<checkpoint>.incomplete`.
"""

from __future__ import annotations

import errno
import posixpath
import tempfile
from typing import TYPE_CHECKING, Any, ClassVar

from train_runtime._filesystems import delete_checkpoint, with_fsspec_interface
from train_runtime.checkpoint import METADATA_FILE, Checkpoint

if TYPE_CHECKING:
    from collections.abc import Collection

_MARK = ".incomplete"


class RemoteFolder:
    """`RunFolder` behind an fsspec or pyarrow filesystem."""

    flush_interval_s: ClassVar[float] = 30.0
    is_remote: ClassVar[bool] = True
    replaces_at_once: ClassVar[bool] = False

    def __init__(self, path: str, filesystem: Any) -> None:
        self.path = path
        self.filesystem = filesystem
        self._fs = with_fsspec_interface(filesystem)
        # Object stores cannot append: the files of reports are written anew, from here.
        self._appended: dict[str, bytearray] = {}

    def boot(self) -> None:
        """What has been put stays."""

    def checkpoint(self, name: str) -> Checkpoint:
        return Checkpoint(self._at(name), self.filesystem)

    def name_of(self, checkpoint: Checkpoint) -> str | None:
        if checkpoint.filesystem != self.filesystem:
            return None
        path, folder = posixpath.normpath(checkpoint.path), posixpath.normpath(self.path)
        return posixpath.relpath(path, folder) if path.startswith(f"{folder}/") else None

    def is_inside(self, checkpoint: Checkpoint) -> bool:
        return checkpoint.filesystem == self.filesystem and f"{self.path}/".startswith(f"{checkpoint.path}/")

    def create(self) -> None:
        bucket = self.path.partition("/")[0]
        if bucket and not self._fs.exists(bucket):  # s3fs would make it
            raise FileNotFoundError(errno.ENOENT, "There is no such bucket", bucket)
        self._fs.makedirs(self.path, exist_ok=True)
        # As Ray does: a place that is closed to writing is noticed before the workers start.
        self._fs.pipe_file(self._at(".validate_storage_marker"), b"")

    def read(self, name: str) -> str | None:
        content = self._content(name)
        return None if content is None else content.decode()

    def write(self, name: str, text: str, *, sync: bool = False) -> None:
        self._appended.pop(name, None)
        self._fs.pipe_file(self._at(name), text.encode())

    def append(self, name: str, data: bytes) -> None:
        if name not in self._appended:
            self._appended[name] = bytearray(self._content(name) or b"")
        self._appended[name] += data
        self._fs.pipe_file(self._at(name), bytes(self._appended[name]))

    def remove(self, pattern: str) -> None:
        self._fs.invalidate_cache()
        for file in self._fs.glob(self._at(pattern)):
            self._fs.rm_file(file)

    def has(self, name: str) -> bool:
        self._fs.invalidate_cache()
        return bool(self._fs.find(self._at(name)))

    def begin(self, name: str) -> None:
        self._fs.pipe_file(self._mark(name), b"")

    def persist(self, checkpoint: Checkpoint, name: str, rank: int, *, give_away: bool) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            source = checkpoint.path if checkpoint.is_local else checkpoint.to_directory(scratch)
            self._fs.put(f"{source}/", f"{self._at(name)}/", recursive=True)
        if not self.has(name):  # an empty directory is nothing on an object store
            self._fs.pipe_file(self._at(f"{name}/{METADATA_FILE}"), b"{}")
        if give_away:
            delete_checkpoint(checkpoint)

    def commit(self, name: str) -> None:
        """Nothing to do: the snapshot is what makes the checkpoint appear."""

    def settle(self, name: str) -> None:
        self._fs.rm_file(self._mark(name))

    def abort(self, name: str) -> None:
        self.delete(name)
        self.settle(name)

    def delete(self, name: str) -> None:
        if self.has(name):
            self._fs.rm(self._at(name), recursive=True)

    def recover(self, registered: Collection[str]) -> None:
        self._fs.invalidate_cache()
        for mark in self._fs.glob(self._at(f".*{_MARK}")):
            name = posixpath.basename(mark)[1 : -len(_MARK)]
            if name not in registered:
                self.delete(name)
            self.settle(name)

    def sync(self, name: str) -> None:
        """Nothing to do: what has been put is durable."""

    def has_room_for(self, copies: int, of: str) -> bool:
        return True

    def _content(self, name: str) -> bytes | None:
        try:
            content: bytes = self._fs.cat_file(self._at(name))
        except FileNotFoundError:
            return None
        return content

    def _at(self, name: str) -> str:
        return f"{self.path}/{name}"

    def _mark(self, name: str) -> str:
        return self._at(f".{name}{_MARK}")
