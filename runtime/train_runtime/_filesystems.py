"""Filesystems of pyarrow and fsspec, as users pass them or name them by a URL."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train_runtime.checkpoint import Checkpoint


def resolve_url(url: str) -> tuple[Any, str]:
    """The fsspec filesystem of a URL, and the path on it.

    Raises:
        ImportError: if the URL's driver is not installed; the message names the package.
        ValueError: if no driver is known for the URL.
    """
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ImportError(f"{url} cannot be reached: {error}", name=error.name) from error
    return filesystem, path


def is_local(filesystem: Any) -> bool:
    """Whether a pyarrow or fsspec filesystem is this machine's."""
    return type(filesystem).__name__ == "LocalFileSystem"


def with_fsspec_interface(filesystem: Any) -> Any:
    """The filesystem with fsspec's methods: Ray's users pass pyarrow ones."""
    if type(filesystem).__module__.startswith("pyarrow"):
        from fsspec.implementations.arrow import ArrowFSWrapper

        return ArrowFSWrapper(filesystem)
    return filesystem


def delete_checkpoint(checkpoint: Checkpoint) -> None:
    """Delete the files that a checkpoint refers to; what cannot be deleted stays."""
    if checkpoint.is_local:
        shutil.rmtree(checkpoint.path, ignore_errors=True)
    else:
        with_fsspec_interface(checkpoint.filesystem).rm(checkpoint.path, recursive=True)
