"""`Checkpoint`: a directory of files, local or behind a URL."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train_runtime._filesystems import is_local, resolve_url, with_fsspec_interface

if TYPE_CHECKING:
    from collections.abc import Iterator

METADATA_FILE = ".metadata.json"

_REMOVED_METHODS = {
    **dict.fromkeys(
        ("from_dict", "to_dict", "from_bytes", "to_bytes", "get_internal_representation"),
        "write the data to files (for example with `torch.save`) in a directory, then `Checkpoint.from_directory` it",
    ),
    **dict.fromkeys(("from_uri", "to_uri", "uri"), "use `Checkpoint(uri)`, `checkpoint.path` and `.filesystem`"),
    "from_checkpoint": "use the `Checkpoint` as it is",
    **dict.fromkeys(("get_preprocessor", "set_preprocessor"), "use `get_metadata` and `set_metadata`"),
}


class _RemovedMethods(type):
    """Answers the class-level methods of Ray 2.6's `Checkpoint` with what to write instead."""

    def __getattr__(cls, name: str) -> Any:
        if name in _REMOVED_METHODS:
            raise AttributeError(f"`Checkpoint.{name}` was removed in Ray 2.7: {_REMOVED_METHODS[name]}.")
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")


class Checkpoint(metaclass=_RemovedMethods):
    """A reference to a directory of checkpoint files (`ray.train.Checkpoint`, the same from Ray 2.7 to 2.60).

    `path` is a local path, an fsspec URL such as `s3://bucket/run/checkpoint`, or a path on `filesystem`, which may be
    fsspec's or pyarrow's. As on Ray, the attribute `path` of a URL is the path on its `filesystem`, without the scheme.
    Two checkpoints are equal only if they are the same object.

    Raises:
        ImportError: if the URL's driver is not installed; the message names the package.
    """

    def __init__(self, path: str | os.PathLike[str], filesystem: Any = None) -> None:
        path = os.fspath(path).removeprefix("file://")
        if filesystem is None and "://" in path:
            filesystem, path = resolve_url(path)
        self._filesystem = filesystem
        self.is_local = filesystem is None or is_local(filesystem)
        self.path = os.path.abspath(os.path.expanduser(path)) if self.is_local else path.rstrip("/")

    @classmethod
    def from_directory(cls, path: str | os.PathLike[str]) -> Checkpoint:
        """Refer to a local directory; nothing is copied."""
        return cls(path)

    @property
    def filesystem(self) -> Any:
        """The filesystem that holds `path`: the one given, else fsspec's."""
        if self._filesystem is not None:
            return self._filesystem
        import fsspec

        return fsspec.filesystem("file")

    def to_directory(self, path: str | os.PathLike[str] | None = None) -> str:
        """Copy the files into `path`, or into a new temporary directory, and return that directory."""
        target = os.path.abspath(os.path.expanduser(path)) if path is not None else tempfile.mkdtemp("-checkpoint")
        if self.is_local:
            shutil.copytree(self.path, target, dirs_exist_ok=True)
        else:
            os.makedirs(target, exist_ok=True)
            with_fsspec_interface(self.filesystem).get(self.path.rstrip("/") + "/", target, recursive=True)
        return target

    @contextlib.contextmanager
    def as_directory(self) -> Iterator[str]:
        """Yield a local directory with the files: the checkpoint itself if it is local, else a temporary copy."""
        if self.is_local:
            yield self.path
            return
        with tempfile.TemporaryDirectory("-checkpoint", ignore_cleanup_errors=True) as directory:
            yield self.to_directory(directory)

    def get_metadata(self) -> dict[str, Any]:
        """What `set_metadata` stored; empty if nothing is stored."""
        try:
            text = self._read_text(METADATA_FILE)
        except FileNotFoundError:
            return {}
        metadata: dict[str, Any] = json.loads(text)
        return metadata

    def set_metadata(self, metadata: dict[str, Any]) -> None:
        """Store a dict that JSON can hold beside the files, replacing what was there."""
        text = json.dumps(metadata)
        if self.is_local:
            Path(self.path, METADATA_FILE).write_text(text, encoding="utf-8")
        else:
            with_fsspec_interface(self.filesystem).pipe_file(f"{self.path}/{METADATA_FILE}", text.encode())

    def update_metadata(self, metadata: dict[str, Any]) -> None:
        """Merge `metadata` into what is stored."""
        self.set_metadata({**self.get_metadata(), **metadata})

    def _read_text(self, name: str) -> str:
        if self.is_local:
            return Path(self.path, name).read_text(encoding="utf-8")
        content: bytes = with_fsspec_interface(self.filesystem).cat_file(f"{self.path}/{name}")
        return content.decode()

    def __fspath__(self) -> str:
        raise TypeError("A Checkpoint is not a path: use `checkpoint.path`, or `with checkpoint.as_directory() as d`.")

    def __repr__(self) -> str:
        return f"Checkpoint(path={self.path!r})"
