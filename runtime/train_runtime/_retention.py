"""Which checkpoints stay on disk: the rule, without the disk."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train_runtime.config import CheckpointConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackedCheckpoint:
    """A checkpoint on disk: its directory's name, the metrics reported with it, and its number in the run."""

    name: str
    metrics: Mapping[str, Any]
    index: int


@dataclass(frozen=True)
class Retained:
    """The checkpoints on disk: the best ones from worst to best, and the latest, which may not be among them."""

    best: tuple[TrackedCheckpoint, ...] = ()
    latest: TrackedCheckpoint | None = None

    def names(self) -> set[str]:
        """The directories that must exist."""
        return {tracked.name for tracked in self.best} | ({self.latest.name} if self.latest else set())


def register(retained: Retained, new: TrackedCheckpoint, config: CheckpointConfig) -> Retained:
    """What is kept once `new` is there; whatever `retained` names and the result does not is to be deleted.

    The best `num_to_keep` stay, ties favouring the later one, and `new` always stays, as it is what a restart resumes.
    """
    others = [tracked for tracked in retained.best if tracked.name != new.name]
    ordered = sorted([*others, new], key=lambda tracked: _score(tracked, config))
    return Retained(best=tuple(ordered[-config.num_to_keep :] if config.num_to_keep else ordered), latest=new)


def _score(tracked: TrackedCheckpoint, config: CheckpointConfig) -> tuple[bool, float]:
    """Sorts ascending from worst to best: NaN, then a missing score, then the numbers; by age without an attribute."""
    attribute = config.checkpoint_score_attribute
    if attribute is None:
        return True, tracked.index
    value = _look_up(tracked.metrics, attribute)
    if not isinstance(value, Real):
        logger.error(
            "checkpoint_score_attribute %r is not a number in the metrics reported with %s (%s): it counts as worst.",
            attribute,
            tracked.name,
            ", ".join(map(str, tracked.metrics)) or "none",
        )
        return True, -math.inf
    number = float(value)
    if math.isnan(number):
        return False, 0.0
    return True, number if config.checkpoint_score_order == "max" else -number


def _look_up(metrics: Mapping[str, Any], attribute: str) -> Any:
    """The metric of that name; `a/b` also finds `metrics["a"]["b"]`."""
    if attribute in metrics:
        return metrics[attribute]
    value: Any = metrics
    for key in attribute.split("/"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
