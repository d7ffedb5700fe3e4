"""What the runtime's tests share: a short way to run a train function, and one to run a script."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from train_runtime import Result, RunConfig, ScalingConfig, TorchTrainer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Fit(Protocol):
    def __call__(
        self, function: Callable[..., Any], *, workers: int = 2, config: dict[str, Any] | None = None, **run: Any
    ) -> Result: ...


class RunScript(Protocol):
    def __call__(self, source: str, *arguments: str, name: str = "script.py") -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fit:
    """Run a function on workers; keywords beyond `workers` and `config` go to `RunConfig`."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fit(
        function: Callable[..., Any], *, workers: int = 2, config: dict[str, Any] | None = None, **run: Any
    ) -> Result:
        return TorchTrainer(
            function,
            train_loop_config=config,
            scaling_config=ScalingConfig(num_workers=workers),
            run_config=RunConfig(**{"storage_path": tmp_path / "results", "name": "run", **run}),
        ).fit()

    return fit


@pytest.fixture
def run_script(tmp_path: Path) -> RunScript:
    """Write a script and run it with `python -m train_runtime` in the test's directory."""

    def run_script(source: str, *arguments: str, name: str = "script.py") -> subprocess.CompletedProcess[str]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-m", "train_runtime", name, *arguments],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_script
