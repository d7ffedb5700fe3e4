"""The harness itself: what it records of a script, and that it ends one that hangs."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from engine import BundledRuntime

if TYPE_CHECKING:
    from pathlib import Path


def test_records_every_fit(tmp_path: Path) -> None:
    script = tmp_path / "two_fits.py"
    script.write_text(
        dedent(
            """
            import os, tempfile
            import ray.train
            from ray.train import Checkpoint
            from ray.train.torch import TorchTrainer

            def train_func(config):
                if config["value"] > 1:
                    raise ValueError("too much")
                with tempfile.TemporaryDirectory() as folder:
                    ray.train.report({"value": config["value"]}, checkpoint=Checkpoint.from_directory(folder))

            for value in (1, 2):
                TorchTrainer(train_func, train_loop_config={"value": value}).fit()
            """
        )
    )

    run = BundledRuntime().run(script)

    first, second = run.fits
    assert (first.metrics, first.checkpoints, first.error) == ({"value": 1}, 1, None)
    assert second.metrics is None
    assert "too much" in str(second.error)
    assert run.status == 1
    with pytest.raises(AssertionError, match="exited with 1"):
        run.check()


def test_ends_a_script_that_takes_too_long(tmp_path: Path) -> None:
    script = tmp_path / "sleeper.py"
    script.write_text("import time; print('zzz', flush=True); time.sleep(60)")

    run = BundledRuntime().run(script, timeout_s=10)

    assert run.status is None
    assert "zzz" in run.output
    with pytest.raises(AssertionError, match="ran out of time"):
        run.check()
