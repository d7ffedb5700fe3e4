"""Files as the Python that they hold, for what looks at many files as modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from migrate_trainers.containers import container, is_notebook, is_page

if TYPE_CHECKING:
    from migrate_trainers.findings import FileResult


class PythonFiles(Mapping[Path, bytes]):
    """Some files, notebooks among them as one program each; pages hold no module, nor does a notebook without Python.

    Plain files are read whenever they are asked for, notebooks once, and those that were read before not again.
    """

    def __init__(self, files: Mapping[Path, bytes], known: Mapping[Path, bytes] | None = None) -> None:
        self._files = files
        self._known = known or {}
        self._notebooks: dict[Path, bytes] = {}

    def __getitem__(self, path: Path) -> bytes:
        if is_page(path):
            return b""
        if not is_notebook(path):
            return self.data(path)
        if path not in self._notebooks:
            held = container(path, self.data(path))
            self._notebooks[path] = b"".join(held.programs if held is not None else ())
        return self._notebooks[path]

    def __iter__(self) -> Iterator[Path]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def data(self, path: Path) -> bytes:
        """The bytes of a file as it is."""
        return self._known[path] if path in self._known else self._files[path]

    def result(self, path: Path, result: FileResult) -> FileResult:
        """The result for a file, from that for its Python."""
        held = container(path, self.data(path))
        if held is None:
            return result
        return held.result([result] if held.programs else [])
