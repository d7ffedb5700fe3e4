"""Every migrated program gives the same results on the bundled runtime as on real Ray."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cases import Case, runnable_cases, tuned_cases
from engine import BundledRuntime, RealRay

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(__file__).parent / "scripts"

pytestmark = pytest.mark.real_ray


@pytest.fixture(scope="module")
def real_ray() -> Iterator[RealRay]:
    with RealRay() as engine:
        yield engine


@pytest.mark.parametrize("case", runnable_cases(), ids=lambda case: case.name)
def test_same_results(case: Case, real_ray: RealRay) -> None:
    ours = BundledRuntime().run(case.after).check()
    theirs = real_ray.run(case.after).check()

    assert len(ours.fits) == len(theirs.fits)
    for our_fit, their_fit in zip(ours.fits, theirs.fits, strict=True):
        assert our_fit.checkpoints == their_fit.checkpoints
        assert our_fit.metrics is not None
        assert their_fit.metrics is not None
        for name in case.metrics:
            assert our_fit.metrics[name] == pytest.approx(their_fit.metrics[name], rel=1e-6, abs=1e-6), name


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda script: script.stem)
def test_same_reports(script: Path, real_ray: RealRay) -> None:
    """Of scripts that report what they see, everything is equal."""
    ours = BundledRuntime().run(script).check()
    theirs = real_ray.run(script).check()

    assert [fit.metrics for fit in ours.fits] == [fit.metrics for fit in theirs.fits]


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
