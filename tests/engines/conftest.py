"""What the tests on several engines share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bundled_runs import BundledRuns
from engine import RealRay

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def bundled_runs(pytestconfig: pytest.Config) -> BundledRuns:
    assert pytestconfig.cache is not None
    return BundledRuns(pytestconfig.cache)


@pytest.fixture(scope="session")
def real_ray() -> Iterator[RealRay]:
    with RealRay() as engine:
        yield engine
