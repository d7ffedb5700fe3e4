"""The workers' output in files: `<run>/logs/rank_<N>.log`, both streams in one, line by line."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import io
    from collections.abc import Sequence
    from pathlib import Path


LOG_FOLDER = "logs"


def log_directory(run_path: Path) -> Path:
    """Where a run's logs are."""
    return run_path / LOG_FOLDER


class WorkerLogs:
    """A file a rank, which is appended to when workers are started again, with a line that says so.

    Output is worth less than the run: once a file cannot be written (a full disk), nothing more is logged, and
    `write` says why.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[int, io.FileIO] = {}
        self._is_broken = False

    def write(self, rank: int, lines: Sequence[bytes]) -> str | None:
        """Append lines to the rank's file; returns what must be said if that fails for the first time."""
        if self._is_broken:
            return None
        try:
            if rank not in self._files:
                self._files[rank] = self._open(rank)
            self._files[rank].write(b"".join(line + b"\n" for line in lines))
        except OSError as error:
            self._is_broken = True
            return f"The workers' output is no longer written to {self._directory}: {error}"
        return None

    def close(self) -> None:
        """End an attempt; a later `write` opens the files again."""
        while self._files:
            self._files.popitem()[1].close()

    def _open(self, rank: int) -> io.FileIO:
        self._directory.mkdir(parents=True, exist_ok=True)
        file = (self._directory / f"rank_{rank}.log").open("ab", buffering=0)
        if file.tell():
            file.write(f"=== rank {rank} started again, {datetime.datetime.now():%Y-%m-%d %H:%M:%S} ===\n".encode())
        return file
