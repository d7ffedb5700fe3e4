"""A run's temporary folder, outside of its results as on Ray.

train_runtime_<random>/
    artifacts/<run>/    the workers' current directory, shared; kept if something was written there
    private/            what the driver and the workers hand each other; removed
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from train_runtime import _janitor
from train_runtime._janitor import Janitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from train_runtime._output import Console


@dataclass(frozen=True)
class Scratch:
    """The folder while the run lasts, and who clears up after the workers should the driver be killed."""

    root: Path
    directory: Path
    janitor: Janitor

    @classmethod
    @contextlib.contextmanager
    def make(cls, run_name: str, console: Console) -> Iterator[Scratch]:
        """A folder for the run of this name; what remains of it at the end is told on the console."""
        root = Path(tempfile.gettempdir(), f"train_runtime_{secrets.token_hex(8)}")
        directory = root / "artifacts" / run_name
        try:
            with Janitor.beside(root) as janitor:
                root.mkdir(mode=0o700)
                directory.mkdir(parents=True)
                (root / "private").mkdir()
                yield cls(root, directory, janitor)
        finally:
            _janitor.clear(root)
            if root.exists():
                console.note(f"Files that the workers wrote to relative paths are in {directory}")

    def private_folder(self, purpose: str) -> Path:
        """A new folder that nobody else uses."""
        return Path(tempfile.mkdtemp(prefix=f"{purpose}_", dir=self.root / "private"))
