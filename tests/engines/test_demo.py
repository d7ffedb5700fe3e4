"""`make demo` ends well: a legacy script is migrated, runs without Ray, and learns."""

from __future__ import annotations

import subprocess
import sys

from cases import FIXTURES


def test_demo() -> None:
    demo = subprocess.run(
        [sys.executable, str(FIXTURES / "demo" / "run.py")], capture_output=True, text=True, timeout=240
    )

    assert demo.returncode == 0, demo.stdout[-8000:] + demo.stderr[-4000:]
    assert "-    LightningConfigBuilder()" in demo.stdout, "the diff is shown"
    assert "validation accuracy: 0.9" in demo.stdout
