"""Scripts that knew nothing of Ray give the same once they are adopted: with one worker, on both engines."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cases import Case, adopted_cases, on_real_ray
from engine import BundledRuntime, PlainPython

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from engine import Fit, RealRay, Run
    from kept_runs import KeptRuns


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case.suite == "test" else pytest.mark.real_ray) for case in adopted_cases()],
    ids=lambda case: case.name,
)
def test_one_worker_gives_what_the_plain_script_gave(case: Case, bundled_runs: KeptRuns) -> None:
    run = bundled_runs.run(case.after)
    _assert_as_plain(case, run, run.fits)


# A run more for each would take its time in `make test`.
@pytest.mark.real_ray
@pytest.mark.parametrize("case", adopted_cases(), ids=lambda case: case.name)
def test_runs_with_two_workers(case: Case, tmp_path: Path) -> None:
    folder = shutil.copytree(case.before.parent, tmp_path / "copy")
    script = folder / case.before.name
    command = [sys.executable, "-m", "migrate_trainers", "--adopt", "--num-workers", "2", str(script)]
    adopting = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert adopting.returncode in (0, 1), adopting.stdout + adopting.stderr
    assert "num_workers=2" in script.read_text(encoding="utf-8")

    (fit,) = BundledRuntime().run(script).check().fits

    assert fit.error is None
    assert fit.metrics is not None
    for name in case.metrics:
        assert math.isfinite(fit.metrics[name]), name


@pytest.mark.parametrize("case", on_real_ray(adopted_cases()), ids=lambda case: case.name)
def test_one_worker_on_ray_gives_what_the_plain_script_gave(
    case: Case, real_ray: RealRay, bundled_runs: KeptRuns
) -> None:
    run = real_ray.run(case.after).check()
    # Ray forgets what is reported without a checkpoint, so what the worker printed tells.
    theirs = [fit if fit.metrics is not None else replace(fit, metrics=run.printed_metrics()) for fit in run.fits]

    _assert_as_plain(case, run, theirs)
    ours = bundled_runs.fits(case.after)[0].metrics
    _assert_equal([name for name in case.metrics if name in (theirs[0].metrics or ())], theirs[0].metrics, ours)


def _assert_as_plain(case: Case, adopted: Run, fits: Sequence[Fit]) -> None:
    """One `fit` gave what the script printed before it was adopted, and the adopted one prints the same."""
    printed = PlainPython().run(case.before, by_torchrun=case.by_torchrun).check().printed_metrics()
    (fit,) = fits
    _assert_equal([name for name in case.metrics if name in printed], fit.metrics, printed)
    _assert_equal(printed, adopted.printed_metrics(), printed)


def _assert_equal(names: Iterable[str], ours: dict[str, Any] | None, theirs: dict[str, Any] | None) -> None:
    assert ours is not None
    assert theirs is not None
    for name in names:
        assert ours[name] == pytest.approx(theirs[name], rel=1e-6, abs=1e-6), name
