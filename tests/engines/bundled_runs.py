"""Runs of scripts on the bundled runtime: what `make test` saw, `make conformance` needn't run again."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from engine import BundledRuntime, Fit, Run

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

_ROOT = Path(__file__).parents[2]


class BundledRuns:
    """Runs scripts on the bundled runtime and keeps what they gave in pytest's cache, for later sessions."""

    def __init__(self, cache: pytest.Cache) -> None:
        self._cache = cache
        self._runs: dict[Path, Run] = {}

    def run(self, script: Path) -> Run:
        """Run a script that has to end well, once a session."""
        if script not in self._runs:
            self._runs[script] = BundledRuntime().run(script).check()
            self._cache.set(_key(script), [asdict(fit) for fit in self._runs[script].fits])
        return self._runs[script]

    def fits(self, script: Path) -> tuple[Fit, ...]:
        """What the fits of a script gave: kept from a run of the same script on the same runtime, or from a new one."""
        kept = self._cache.get(_key(script), None)
        return self.run(script).fits if kept is None else tuple(map(Fit.read, kept))


def _key(script: Path) -> str:
    """Names a script's run by all that it depends on: its folder, the runtime, this harness and the libraries."""
    digest = hashlib.sha256()
    for file in _files(script.parent, _ROOT / "runtime", Path(__file__).parent):
        digest.update(f"{file.relative_to(_ROOT)} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    digest.update((_ROOT / "constraints.txt").read_bytes())
    return f"bundled_runs/{script.parent.name}-{script.stem}-{digest.hexdigest()}"


def _files(*folders: Path) -> Iterable[Path]:
    return sorted(
        {file for folder in folders for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc"}
    )
