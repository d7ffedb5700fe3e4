"""Every migrated program runs on the bundled runtime, and gives what the legacy program gave."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from cases import Case, all_cases, runnable_cases

if TYPE_CHECKING:
    from engine import Fit
    from kept_runs import KeptRuns


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case.suite == "test" else pytest.mark.real_ray) for case in runnable_cases()],
    ids=lambda case: case.name,
)
def test_runs_as_the_legacy_program_did(case: Case, bundled_runs: KeptRuns) -> None:
    # The long suite may have run it for the comparison with real Ray already.
    fits = bundled_runs.run(case.after).fits if case.suite == "test" else bundled_runs.fits(case.after)

    _assert_trained(case, fits)
    if case.legacy_fits:
        _assert_same_as_legacy(case, fits)


def _assert_trained(case: Case, fits: tuple[Fit, ...]) -> None:
    assert fits, "the script made no fit()"
    for fit in fits:
        assert fit.error is None
        assert fit.checkpoints
        assert fit.metrics is not None
        for name in case.metrics:
            assert math.isfinite(fit.metrics[name]), name


def _assert_same_as_legacy(case: Case, fits: tuple[Fit, ...]) -> None:
    assert len(fits) == len(case.legacy_fits)
    for fit, legacy_fit in zip(fits, case.legacy_fits, strict=True):
        assert fit.metrics is not None
        assert fit.checkpoints == legacy_fit.checkpoints
        for name, value in legacy_fit.metrics.items():
            if case.name.startswith("transformers/") and name.endswith("loss"):
                # Transformers 5 sums losses over workers and counts tokens otherwise: only `make conformance` compares.
                continue
            assert fit.metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name


@pytest.mark.parametrize("case", [case for case in all_cases() if case.refused], ids=lambda case: case.name)
def test_refused_program_has_a_finding_and_no_output(case: Case) -> None:
    assert not case.after.exists()
    assert f" {case.refused} manual " in (case.folder / "findings.txt").read_text(encoding="utf-8")
