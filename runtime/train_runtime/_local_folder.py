"""A run's folder on the local file system.

checkpoint_<time>/                the files of all ranks
.checkpoint_<time>.incomplete/    the mark, while the checkpoint is being stored
    rank_0/ rank_1/               what the ranks have persisted
    replaced/                     the checkpoint that had the same name
"""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from train_runtime import _durable
from train_runtime._filesystems import delete_checkpoint
from train_runtime.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Collection

_MARK = ".incomplete"
_DOOMED = ".deleted"


@dataclass
class LocalFolder:
    """`RunFolder` in a local directory."""

    path: str
    filesystem: Any = None
    flush_interval_s: ClassVar[float] = 1.0
    is_remote: ClassVar[bool] = False
    replaces_at_once: ClassVar[bool] = True

    def boot(self) -> str | None:
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:  # not Linux: a killed driver is likelier than a power failure
            return None

    def checkpoint(self, name: str) -> Checkpoint:
        return Checkpoint(self._at(name), self.filesystem)

    def name_of(self, checkpoint: Checkpoint) -> str | None:
        if not checkpoint.is_local:
            return None
        path, folder = Path(checkpoint.path).resolve(), Path(self.path).resolve()
        return path.relative_to(folder).as_posix() if folder in path.parents else None

    def is_inside(self, checkpoint: Checkpoint) -> bool:
        return checkpoint.is_local and Path(self.path).resolve().is_relative_to(Path(checkpoint.path).resolve())

    def create(self) -> None:
        Path(self.path).mkdir(parents=True, exist_ok=True)
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "The directory cannot be written to", self.path)

    def read(self, name: str) -> str | None:
        try:
            return self._at(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str, *, sync: bool = False) -> None:
        _durable.write_text(self._at(name), text, sync=sync)

    def append(self, name: str, data: bytes) -> None:
        with self._at(name).open("ab") as file:
            file.write(data)

    def remove(self, pattern: str) -> None:
        for file in Path(self.path).glob(pattern):
            file.unlink()

    def has(self, name: str) -> bool:
        return self._at(name).exists()

    def begin(self, name: str) -> None:
        shutil.rmtree(self._mark(name), ignore_errors=True)
        self._mark(name).mkdir(parents=True)

    def persist(self, checkpoint: Checkpoint, name: str, rank: int, *, give_away: bool) -> None:
        target = self._mark(name) / f"rank_{rank}"
        if not checkpoint.is_local:
            checkpoint.to_directory(target)
            if give_away:
                delete_checkpoint(checkpoint)
        elif give_away:
            _durable.move_tree(Path(checkpoint.path), target)
        else:
            _durable.copy_tree(Path(checkpoint.path), target)

    def commit(self, name: str) -> None:
        target, mark = self._at(name), self._mark(name)
        first, *others = sorted(mark.glob("rank_*"), key=lambda path: int(path.name.removeprefix("rank_")))
        for other in others:
            _durable.merge_tree(other, first)
        if target.exists():
            target.rename(mark / "replaced")
        first.rename(target)

    def settle(self, name: str) -> None:
        shutil.rmtree(self._mark(name))

    def abort(self, name: str) -> None:
        replaced = self._mark(name) / "replaced"
        if replaced.exists():
            self.delete(name)
            replaced.rename(self._at(name))
        shutil.rmtree(self._mark(name), ignore_errors=True)

    def delete(self, name: str) -> None:
        _durable.remove_tree(self._at(name), Path(self.path, f".{name.replace('/', '_')}{_DOOMED}"))

    def recover(self, registered: Collection[str]) -> None:
        for mark in Path(self.path).glob(f".*{_MARK}"):
            name = mark.name[1 : -len(_MARK)]
            if not mark.is_dir():
                mark.unlink()  # a file that was being replaced
                continue
            if name not in registered:
                self.delete(name)
            elif not self.has(name) and (mark / "replaced").exists():
                (mark / "replaced").rename(self._at(name))
            shutil.rmtree(mark)
        for doomed in Path(self.path).glob(f".*{_DOOMED}"):
            shutil.rmtree(doomed)

    def sync(self, name: str) -> None:
        _durable.sync_tree(self._at(name))

    def has_room_for(self, copies: int, of: str) -> bool:
        return shutil.disk_usage(self.path).free > copies * _durable.tree_size(self._at(of))

    def _at(self, name: str) -> Path:
        return Path(self.path, name)

    def _mark(self, name: str) -> Path:
        return Path(self.path, f".{name}{_MARK}")
