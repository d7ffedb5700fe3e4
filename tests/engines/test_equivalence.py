"""Each migrated program gives what the legacy program gives on the Ray that it was written for."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cases import FIXTURES, Case, cases_for_earlier_targets, legacy_cases
from engine import LegacyRay
from equivalence import compared

from migrate_trainers import Kind, migrate_project
from migrate_trainers.settings import parse_version

if TYPE_CHECKING:
    from engine import Fit
    from kept_runs import KeptRuns

pytestmark = pytest.mark.legacy_ray

ENVIRONMENT = Path(__file__).parents[2] / ".venv-legacy"


@pytest.mark.parametrize("case", legacy_cases(), ids=lambda case: case.name)
def test_same_results_before_and_after(case: Case, ray_runs: KeptRuns, bundled_runs: KeptRuns) -> None:
    comparison = compared(case, ray_runs, bundled_runs)

    assert len(comparison.legacy) == len(case.legacy_fits)
    for legacy_fit, recorded in zip(comparison.legacy, case.legacy_fits, strict=True):
        assert legacy_fit.error is None
        assert legacy_fit.checkpoints == recorded.checkpoints
        for name, value in recorded.metrics.items():
            assert _metric(legacy_fit, name) == pytest.approx(value, rel=1e-6, abs=1e-6), f"{name} as recorded"
    for fits in filter(None, (comparison.ray, comparison.bundled)):
        assert [difference for difference in comparison.differences(fits) if difference.announced_by is None] == []


@pytest.mark.parametrize(
    ("case", "release"), cases_for_earlier_targets(), ids=lambda value: value if isinstance(value, str) else value.name
)
def test_output_for_an_earlier_ray_gives_the_same(case: Case, release: str, tmp_path: Path) -> None:
    script = _migrated(case, release, tmp_path)

    engine = LegacyRay(ENVIRONMENT)
    run = engine.run(script, ray=release, transformers=case.legacy_transformers)
    for _ in range(2):
        # In Ray 2.7 one worker's own report callback removes the folder from which another one still copies, at times.
        if "Failed to open local file" not in run.output:
            break
        run = engine.run(script, ray=release, transformers=case.legacy_transformers)
    run.check()

    assert f"on Ray {release}" in run.output
    assert len(run.fits) == len(case.legacy_fits)
    for fit, recorded in zip(run.fits, case.legacy_fits, strict=True):
        assert fit.error is None
        assert fit.checkpoints == recorded.checkpoints
        for name, value in recorded.metrics.items():
            assert _metric(fit, name) == pytest.approx(value, rel=1e-6, abs=1e-6), name


def _migrated(case: Case, release: str, folder: Path) -> Path:
    """A case's program, written for a release of Ray, in a folder of its own."""
    regenerate = runpy.run_path(str(FIXTURES / "regenerate.py"))
    settings = replace(regenerate["settings"](case.folder), target_version=parse_version(release))
    sources = regenerate["sources"](case.folder, "before")
    results = migrate_project(sources, settings, read_data=lambda path: (case.folder / path.name).read_bytes())
    assert not any(result.has(Kind.MANUAL) or result.has(Kind.ERROR) for result in results.values())
    for path, data in sources.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(results[path].after if path in results else data)
    return folder / case.before.relative_to(case.folder)


def _metric(fit: Fit, name: str) -> float:
    assert fit.metrics is not None
    return float(fit.metrics[name])
