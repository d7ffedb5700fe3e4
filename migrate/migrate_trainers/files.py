"""Reading a file, and putting new bytes in its place so that it is whole at every instant."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class FileChangedError(OSError):
    """The file is no longer what was read."""


def replace_file(path: Path, before: bytes, after: bytes) -> None:
    """Replace a file's bytes atomically; mode and symbolic links stay.

    Raises `FileChangedError` if its bytes aren't `before` any more, and `OSError` if it can't be written. The file then
    keeps what it holds.
    """
    target = path.resolve()
    if not os.access(target, os.W_OK):
        raise PermissionError(f"{path} is read-only")
    mode = target.stat().st_mode
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        if target.read_bytes() != before:
            raise FileChangedError(f"{path} was changed while it was being migrated")
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
