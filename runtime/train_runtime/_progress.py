"""How a run goes, in memory: what its workers do, its latest report and checkpoint. Nothing here prints."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE_METRICS = 8


class WorkerState(enum.Enum):
    """What a worker does, in the words that the user reads."""

    STARTING = "starting"
    RUNNING = "running"
    REPORTING = "in report"
    FINISHED = "finished"
    FAILED = "failed"
    RESTARTING = "restarting"


@dataclass
class RunProgress:
    """Written by the driver's main thread as often as reports come, read by the one that draws: so it only keeps."""

    name: str
    started: float = field(default_factory=time.monotonic)
    reports: int = 0
    metrics: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: str | None = None
    workers: list[WorkerState] = field(default_factory=list)
    bars: dict[int, str] = field(default_factory=dict)
    """By rank, the line that the worker rewrites in place, such as a progress bar."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run's start."""
        return time.monotonic() - self.started


def describe_report(number: int, metrics: Mapping[str, Any], checkpoint: str | None) -> str:
    """A report as one line: its number, its scalar metrics and its checkpoint's name."""
    scalars = describe_metrics(metrics)
    if len(scalars) > _LINE_METRICS:
        scalars[_LINE_METRICS:] = ["…"]
    return " ".join([f"report {number}:", *scalars, *([f"→ {checkpoint}"] if checkpoint else [])])


def describe_metrics(metrics: Mapping[str, Any]) -> list[str]:
    """The scalar metrics as `name=value`."""
    return [f"{name}={_short(value)}" for name, value in metrics.items() if isinstance(value, (Real, str))]


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
