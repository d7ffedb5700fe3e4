"""Which checkpoints stay on disk: the rule, without the disk."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from train_runtime._metrics import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from train_runtime.config import CheckpointConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackedCheckpoint:
    """A checkpoint on disk: its directory's name, the metrics reported with it, and the number of that report."""

    name: str
    metrics: Mapping[str, Any]
    index: int


@dataclass(frozen=True)
class Retained:
    """The checkpoints on disk from worst to best, and the latest among them, which may be none of the best."""

    ordered: tuple[TrackedCheckpoint, ...] = ()
    latest: TrackedCheckpoint | None = None

    def names(self) -> set[str]:
        """The directories that must exist."""
        return {tracked.name for tracked in self.ordered}

    def best(self, config: CheckpointConfig) -> tuple[TrackedCheckpoint, ...]:
        """Those that are kept for their score: without a latest one that is on disk only because it is the latest."""
        return self.ordered[-config.num_to_keep :] if config.num_to_keep else self.ordered


def register(retained: Retained, new: TrackedCheckpoint, config: CheckpointConfig) -> Retained:
    """What is kept once `new` is there; whatever `retained` names and the result does not is to be deleted.

    The best `num_to_keep` stay, ties favouring the later one, and `new` always stays, as it is what a restart resumes.
    """
    ordered = [tracked for tracked in retained.ordered if tracked.name != new.name]
    place = len(ordered)
    if config.checkpoint_score_attribute is not None:
        if _number(new, config) is None:
            _log_missing_score(new, config)
        rank = (_score(new, config), new.index)
        # Not a sort: what a run with another score attribute left keeps its order, as on Ray.
        better = (at for at, tracked in enumerate(ordered) if (_score(tracked, config), tracked.index) > rank)
        place = next(better, place)
    ordered.insert(place, new)
    worse = len(ordered) - config.num_to_keep if config.num_to_keep else 0
    return Retained(tuple(tracked for at, tracked in enumerate(ordered) if at >= worse or tracked is new), new)


def _score(tracked: TrackedCheckpoint, config: CheckpointConfig) -> tuple[bool, float]:
    """Sorts ascending from worst to best; NaN is worse than any number.

    A missing score counts as -inf before the order is looked at, so with "min" as the best: Ray 2.60 does the same.
    """
    number = _number(tracked, config)
    number = -math.inf if number is None else number
    if math.isnan(number):
        return False, 0.0
    return True, number if config.checkpoint_score_order == "max" else -number


def _number(tracked: TrackedCheckpoint, config: CheckpointConfig) -> float | None:
    value = flatten(tracked.metrics).get(str(config.checkpoint_score_attribute))
    return float(value) if isinstance(value, Real) else None


def _log_missing_score(tracked: TrackedCheckpoint, config: CheckpointConfig) -> None:
    logger.error(
        "checkpoint_score_attribute %r is not a number in the metrics reported with %s (%s): it counts as -inf.",
        config.checkpoint_score_attribute,
        tracked.name,
        ", ".join(flatten(tracked.metrics)) or "none",
    )
