"""Every migrated program gives the same results on the bundled runtime as on real Ray."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cases import Case, on_real_ray, runnable_cases, tuned_cases

if TYPE_CHECKING:
    from engine import RealRay
    from kept_runs import KeptRuns

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.mark.parametrize("case", on_real_ray(runnable_cases()), ids=lambda case: case.name)
def test_same_results(case: Case, ray_runs: KeptRuns, bundled_runs: KeptRuns) -> None:
    ours = bundled_runs.fits(case.after)
    theirs = ray_runs.run(case.after).fits

    assert len(ours) == len(theirs)
    for our_fit, their_fit in zip(ours, theirs, strict=True):
        assert our_fit.checkpoints == their_fit.checkpoints
        assert our_fit.files == their_fit.files
        assert our_fit.metrics is not None
        assert their_fit.metrics is not None
        for name in case.metrics:
            assert our_fit.metrics[name] == pytest.approx(their_fit.metrics[name], rel=1e-6, abs=1e-6), name


@pytest.mark.real_ray
@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda script: script.stem)
def test_same_reports(script: Path, real_ray: RealRay, bundled_runs: KeptRuns) -> None:
    """Of scripts that report what they see, everything is equal."""
    ours = bundled_runs.fits(script)
    theirs = real_ray.run(script).check().fits

    assert [fit.metrics for fit in ours] == [fit.metrics for fit in theirs]


@pytest.mark.real_ray
@pytest.mark.parametrize("case", tuned_cases(), ids=lambda case: case.name)
def test_trials_give_what_the_legacy_trials_gave(case: Case, real_ray: RealRay) -> None:
    run = real_ray.run(case.after).check()

    assert len(run.fits) == len(case.legacy_fits)
    for trial, legacy_trial in zip(run.fits, case.legacy_fits, strict=True):
        assert trial.error is None
        assert trial.checkpoints
        assert trial.metrics is not None
        for name, value in legacy_trial.metrics.items():
            assert trial.metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name
