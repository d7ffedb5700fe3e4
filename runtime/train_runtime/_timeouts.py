"""For how long workers may keep each other waiting, as the environment says."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

WARN = "RAY_TRAIN_COLLECTIVE_WARN_INTERVAL_S"
COLLECTIVE = "RAY_TRAIN_COLLECTIVE_TIMEOUT_S"
HANG = "TRAIN_RUNTIME_HANG_TIMEOUT_S"


@dataclass(frozen=True)
class Timeouts:
    """Seconds until the user is told, and until the group is stopped.

    `warn_s`: until a warning that ranks wait for others in `report` or a collective (Ray's variable and default).
    `collective_s`: until the ranks that do not come there have failed (Ray's variable; never by default).
    `hang_s`: until the group has failed of which nothing was heard at all (never by default).
    """

    warn_s: float = 60.0
    collective_s: float = math.inf
    hang_s: float = math.inf

    @classmethod
    def from_environment(cls) -> Timeouts:
        """What the environment sets, else the defaults.

        Raises:
            ValueError: for a variable that is not a number above 0.
        """
        return cls(_read(WARN, cls.warn_s), _read(COLLECTIVE, cls.collective_s), _read(HANG, cls.hang_s))


def _read(variable: str, default: float) -> float:
    text = os.environ.get(variable, "")
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise ValueError(f"{variable}={text!r} in the environment must be a number of seconds above 0.")
    return seconds
