"""Every migrated program runs on the bundled runtime and reports the metrics that its case names."""

from __future__ import annotations

import math

import pytest
from cases import Case, runnable_cases
from engine import BundledRuntime


@pytest.mark.parametrize("case", runnable_cases(), ids=lambda case: case.name)
def test_runs(case: Case) -> None:
    run = BundledRuntime().run(case.after).check()

    assert run.fits, "the script made no fit()"
    for fit in run.fits:
        assert fit.error is None
        assert fit.has_checkpoint
        assert fit.metrics is not None
        for name in case.metrics:
            assert math.isfinite(fit.metrics[name])
