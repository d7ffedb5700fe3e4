"""What the tests on several engines share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine import RealRay
from kept_runs import KeptRuns, on_bundled_runtime, on_real_ray

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def bundled_runs() -> KeptRuns:
    return on_bundled_runtime()


@pytest.fixture(scope="session")
def real_ray() -> Iterator[RealRay]:
    with RealRay() as engine:
        yield engine


@pytest.fixture(scope="session")
def ray_runs(request: pytest.FixtureRequest) -> KeptRuns:
    """Runs on real Ray, of which a cluster is started when one of them wasn't kept."""
    return on_real_ray(lambda: request.getfixturevalue("real_ray"))
