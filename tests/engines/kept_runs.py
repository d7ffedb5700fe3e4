"""Runs of scripts on the engines, kept in files: what one suite saw, the next one needn't run again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from engine import BundledRuntime, Fit, LegacyRay, RealRay, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_KEPT = _ROOT / ".kept_runs"
_BESIDE = ("before.py", "after.py", "case.toml", "findings.txt")  # of a fixture, which its script doesn't read
_HARNESS = (_HERE / "engine.py", _HERE / "record_fits.py", _HERE / "hold_cluster.py")


class KeptRuns:
    """Runs scripts in the way of one engine.

    A run is named by all that it depends on: the folder of its script, the harness, and `depends_on`.
    """

    def __init__(self, name: str, run: Callable[[Path], Run], *depends_on: Path) -> None:
        self._name = name
        self._run = run
        self._depends_on = (*_HARNESS, *depends_on)
        self._runs: dict[Path, Run] = {}

    def run(self, script: Path) -> Run:
        """Run a script that has to end well, once a session."""
        if script not in self._runs:
            self._runs[script] = self._run(script).check()
            _KEPT.mkdir(exist_ok=True)
            fits = [asdict(fit) for fit in self._runs[script].fits]
            self._file(script).write_text(json.dumps(fits), encoding="utf-8")
        return self._runs[script]

    def fits(self, script: Path) -> tuple[Fit, ...]:
        """What the fits of a script gave: kept from a run that was the same in all, or from a new one."""
        return self.kept(script) or self.run(script).fits

    def kept(self, script: Path) -> tuple[Fit, ...]:
        """What the fits of a script gave in a run that was the same in all; nothing where there was none."""
        file = self._file(script)
        return tuple(map(Fit.read, json.loads(file.read_text(encoding="utf-8")))) if file.exists() else ()

    def _file(self, script: Path) -> Path:
        digest = hashlib.sha256()
        program = [file for file in _files(script.parent) if file.name not in _BESIDE or file == script]
        for file in (*program, *_files(*self._depends_on)):
            digest.update(f"{file.relative_to(_ROOT)} {file.stat().st_size}\n".encode())
            digest.update(file.read_bytes())
        return _KEPT / f"{self._name}-{script.parent.name}-{script.stem}-{digest.hexdigest()[:20]}.json"


def on_bundled_runtime() -> KeptRuns:
    return KeptRuns("bundled", BundledRuntime().run, _ROOT / "runtime", _ROOT / "constraints.txt")


def on_real_ray(ray: Callable[[], RealRay]) -> KeptRuns:
    """Runs on a cluster that is asked for when a script must be run."""
    return KeptRuns("ray", lambda script: ray().run(script, keeps_row_order=True), _ROOT / "constraints.txt")


def on_legacy_ray(transformers: str | None) -> KeptRuns:
    """Runs with the Ray of the legacy environment, and a release of Transformers or the environment's own."""
    engine = LegacyRay(_ROOT / ".venv-legacy")
    return KeptRuns(
        f"legacy-{transformers or ''}",
        lambda script: engine.run(script, transformers=transformers),
        *sorted((_HERE / "legacy").glob("*.txt")),
    )


def _files(*places: Path) -> Iterable[Path]:
    """The files in folders, and those that are named themselves."""
    found = {file for place in places for file in (place, *place.rglob("*")) if file.is_file()}
    return sorted(file for file in found if file.suffix != ".pyc")
