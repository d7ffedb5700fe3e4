"""The search for legacy names in the bytes of files, which most runs end with: it imports next to nothing."""

from __future__ import annotations

import errno
import io
import os
import stat

# As in `typing`, which takes as long to import as the search of a few files.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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
# What they start with: a few searches rule out what many would.
STEMS: dict[bytes, tuple[bytes, ...]] = {
    stem: tuple(needle for needle in NEEDLES if needle.startswith(stem))
    for stem in (b"Lightning", b"Transformers", b"HuggingFace", b"Accelerate")
}
# What files have that had a legacy trainer, and those with other old API, by what it starts with.
OLD_API: dict[bytes, tuple[bytes, ...]] = {
    b"TorchTrainer": (b"TorchTrainer",),
    b"ray.air": (b"ray.air",),
    b" air": (b"import air", b", air"),
    b"ray.train.torch": (b"TorchCheckpoint", b"TorchPredictor"),
    b"ray.train.batch_predictor": (b"BatchPredictor",),
    b"ray.data": (b"Preprocessor",),
}
_SEARCHED = (*STEMS.items(), *OLD_API.items())
# What they are imported from, or their modules.
PACKAGE = b"ray"


# More than nearly every source file has.
_BUFFER_SIZE = 1 << 17
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def mentions_legacy_name(data: bytes) -> bool:
    """Whether the bytes hold the name of a legacy trainer or builder anywhere."""
    return _mentions(data, STEMS)


def may_use_legacy_name(data: bytes) -> bool:
    """Whether the bytes hold such a name, or perhaps other old API, and the package that it is imported from."""
    return PACKAGE in data and (mentions_legacy_name(data) or mentions_old_api(data))


def mentions_old_api(data: bytes) -> bool:
    """Whether the bytes hold what a file has that had a legacy trainer, or that uses other old API."""
    return PACKAGE in data and _mentions(data, OLD_API)


def _mentions(data: bytes, stems: Mapping[bytes, tuple[bytes, ...]]) -> bool:
    return any(stem in data and any(needle in data for needle in needles) for stem, needles in stems.items())


class Search:
    """Reads files and says which may use a legacy name, one after the other in the same memory.

    New memory for each file of a large tree would cost more than the search itself.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(_BUFFER_SIZE)

    def hit(self, name: str) -> bytes | None:
        """The bytes of a file that may use a legacy name, else None; raises `OSError` as `read` does."""
        size = self._fill(name)
        if size is not None:
            return bytes(self._buffer[:size]) if self._may_use_legacy_name(size) else None
        data = read(name)
        return data if may_use_legacy_name(data) else None

    def _fill(self, name: str) -> int | None:
        """Put a file into the buffer; gives how many bytes it has, None if they are too many or it is no file."""
        if not hasattr(os, "readv"):
            return None
        descriptor = os.open(name, _OPEN_FLAGS)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            size = os.readv(descriptor, [self._buffer])
        finally:
            os.close(descriptor)
        return size if size < _BUFFER_SIZE else None

    def _may_use_legacy_name(self, size: int) -> bool:
        """The same as the function of that name, without a copy of the bytes."""
        find = self._buffer.find
        if find(PACKAGE, 0, size) < 0:
            return False
        for stem, needles in _SEARCHED:
            if find(stem, 0, size) >= 0 and any(find(needle, 0, size) >= 0 for needle in needles):
                return True
        return False


def files_with_legacy_name(paths: Collection[str]) -> dict[str, bytes] | None:
    """Those of some files that may use a legacy name, with what they hold.

    None where there are none, or not all of them are files that can be read.
    """
    search = Search()
    try:
        return {path: data for path in paths if (data := search.hit(path)) is not None} if paths else None
    except OSError:
        return None


def read(name: str) -> bytes:
    """The bytes of a regular file; raises `OSError`, also for what can't be read without waiting."""
    descriptor = os.open(name, _OPEN_FLAGS)
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
