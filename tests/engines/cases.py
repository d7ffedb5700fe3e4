"""The programs in `fixtures/`: each folder with a `case.toml` is a case."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

FIXTURES = Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True)
class LegacyFit:
    """What one `fit()` of the legacy program gave on the Ray that it was written for."""

    metrics: dict[str, float]
    checkpoints: int  # how many were kept


@dataclass(frozen=True)
class Case:
    """A legacy program and the program that it must become; `main` is run where it has several files."""

    name: str
    folder: Path
    description: str
    runnable: bool
    suite: str  # the shortest that runs it: "test", "conformance" or "equivalence"
    tuned: bool  # runs trials, which the bundled runtime doesn't
    refused: str | None  # the finding that says why it is left as it was
    metrics: tuple[str, ...]
    legacy_fits: tuple[LegacyFit, ...]
    legacy_transformers: str | None  # the release that gave them
    main: str | None
    adopted: bool  # knew nothing of Ray
    by_torchrun: bool  # is started by `torchrun` as long as it knows nothing of Ray
    earlier_targets: tuple[str, ...]  # releases of Ray that output written for them must run on, too

    @property
    def before(self) -> Path:
        """The script of the legacy program."""
        return self.folder / "before.py" if self.main is None else self.folder / "before" / self.main

    @property
    def after(self) -> Path:
        """The script of the migrated program."""
        return self.folder / "after.py" if self.main is None else self.folder / "after" / self.main


def runnable_cases() -> list[Case]:
    """The migrated cases that train in seconds on two CPU workers, by name."""
    return [case for case in _migrated_cases() if not case.tuned and not case.adopted]


def tuned_cases() -> list[Case]:
    """The migrated cases that run trials in seconds, by name."""
    return [case for case in _migrated_cases() if case.tuned]


def adopted_cases() -> list[Case]:
    """The cases that knew nothing of Ray and train in seconds on one CPU worker or two, by name."""
    return [case for case in _migrated_cases() if case.adopted]


def legacy_cases() -> list[Case]:
    """The migrated cases of which it is known what the legacy program gave, by name."""
    return [case for case in _migrated_cases() if case.legacy_fits]


def cases_for_earlier_targets() -> list[tuple[Case, str]]:
    """The cases whose output is run on earlier releases of Ray, with each of these."""
    return [(case, release) for case in legacy_cases() for release in case.earlier_targets]


def on_real_ray(cases: list[Case]) -> list[ParameterSet]:
    """The parameters of a test that runs each of the cases on real Ray, in the suite that the case names.

    A script takes half a minute there: what trains as others do waits for `make equivalence`.
    """
    return [
        pytest.param(case, marks=pytest.mark.legacy_ray if case.suite == "equivalence" else pytest.mark.real_ray)
        for case in cases
    ]


def all_cases() -> list[Case]:
    return [_read(file) for file in sorted(FIXTURES.glob("*/*/case.toml"))]


def _migrated_cases() -> list[Case]:
    return [case for case in all_cases() if case.runnable and case.refused is None]


def _read(file: Path) -> Case:
    settings = tomllib.loads(file.read_text(encoding="utf-8"))
    legacy: dict[str, Any] = settings.get("legacy", {})
    return Case(
        name=f"{file.parent.parent.name}/{file.parent.name}",
        folder=file.parent,
        description=settings["description"],
        runnable=settings["runnable"],
        suite=settings.get("suite", "test"),
        tuned=settings.get("tuned", False),
        refused=settings.get("refused"),
        metrics=tuple(settings.get("metrics", ())),
        legacy_fits=tuple(LegacyFit(fit["metrics"], fit["checkpoints"]) for fit in legacy.get("fits", ())),
        legacy_transformers=legacy.get("transformers"),
        main=settings.get("main"),
        adopted="adopt" in settings,
        by_torchrun=settings.get("by-torchrun", False),
        earlier_targets=tuple(settings.get("earlier-targets", ())),
    )
