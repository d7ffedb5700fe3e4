"""Each migrated program gives what the legacy program gives on the Ray that it was written for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cases import Case, legacy_cases
from engine import LegacyRay

if TYPE_CHECKING:
    from bundled_runs import BundledRuns
    from engine import Fit

pytestmark = pytest.mark.legacy_ray

ENVIRONMENT = Path(__file__).parents[2] / ".venv-legacy"


@pytest.mark.parametrize("case", legacy_cases(), ids=lambda case: case.name)
def test_same_results_before_and_after(case: Case, bundled_runs: BundledRuns, request: pytest.FixtureRequest) -> None:
    before = LegacyRay(ENVIRONMENT).run(case.before, transformers=case.legacy_transformers).check().fits
    if case.tuned:  # only real Ray runs trials
        after = request.getfixturevalue("real_ray").run(case.after).check().fits
    else:
        after = bundled_runs.fits(case.after)

    assert len(before) == len(after) == len(case.legacy_fits)
    for legacy_fit, fit, recorded in zip(before, after, case.legacy_fits, strict=True):
        assert legacy_fit.error is None
        assert legacy_fit.checkpoints == recorded.checkpoints
        assert case.tuned or fit.checkpoints == recorded.checkpoints
        for name, value in recorded.metrics.items():
            assert _metric(legacy_fit, name) == pytest.approx(value, rel=1e-6, abs=1e-6), f"{name} as recorded"
            if not _is_explained(case, name):
                assert _metric(fit, name) == pytest.approx(value, rel=1e-6, abs=1e-6), name


def _metric(fit: Fit, name: str) -> float:
    assert fit.metrics is not None
    return float(fit.metrics[name])


def _is_explained(case: Case, name: str) -> bool:
    """Whether a finding announces that a metric is another one: Transformers 5 computes the logged losses otherwise."""
    return name in ("loss", "train_loss", "eval_loss") and " MT215 " in (case.folder / "findings.txt").read_text(
        encoding="utf-8"
    )
