"""The search for legacy names in the bytes of files, which most runs end with: it imports next to nothing."""

from __future__ import annotations

import errno
import io
import os
import stat

# As in `typing`, which takes as long to import as the search of a few files.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Bytes that a file must contain to be looked at more closely.
NEEDLES: tuple[bytes, ...] = (
    b"LightningTrainer",
    b"LightningConfigBuilder",
    b"TransformersTrainer",
    b"HuggingFaceTrainer",
    b"AccelerateTrainer",
    b"LightningCheckpoint",
    b"LightningPredictor",
    b"TransformersCheckpoint",
    b"HuggingFaceCheckpoint",
    b"TransformersPredictor",
    b"HuggingFacePredictor",
)
# What each of them starts with: a few short searches rule out what many would.
STEMS: tuple[bytes, ...] = (b"Lightning", b"Transformers", b"HuggingFace", b"AccelerateTrainer")
# What they are imported from, or their modules.
PACKAGE = b"ray"


def mentions_legacy_name(data: bytes) -> bool:
    """Whether the bytes hold the name of a legacy trainer or builder anywhere."""
    return any(stem in data for stem in STEMS) and any(needle in data for needle in NEEDLES)


def may_use_legacy_name(data: bytes) -> bool:
    """Whether the bytes hold such a name, and that of the package that it is imported from.

    The shortest search comes first: it tells most files of a large tree apart.
    """
    return PACKAGE in data and mentions_legacy_name(data)


def hold_no_legacy_name(paths: Iterable[str]) -> bool:
    """Whether some paths are all files that can be read, and that surely use no legacy name; False for no path."""
    try:
        return bool(paths) and not any(may_use_legacy_name(read(path)) for path in paths)
    except OSError:
        return False


def read(name: str) -> bytes:
    """The bytes of a regular file; raises `OSError`, also for what can't be read without waiting."""
    descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", name)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", name)
        data = os.read(descriptor, status.st_size + 1)
        return data if len(data) == status.st_size else data + io.FileIO(descriptor, closefd=False).readall()
    finally:
        os.close(descriptor)
