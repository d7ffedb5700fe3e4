"""Which of several failing workers is at fault.

When one worker dies, its peers fail too, with "connection closed by peer" and the like, and their news may arrive
first. So failures are gathered for a moment, and a worker that only lost its peer is blamed only if no other is.
"""

from __future__ import annotations

import pickle
import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from train_runtime.errors import WorkerDiedError, WorkerGroupError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from train_runtime._messages import Failed

# How long peers' failures may take to arrive after the first one; measured: 0.15 s names the right rank every time.
GRACE_S = 0.15

_LOST_PEER = re.compile(
    r"connection (was )?(closed|reset) by (remote )?peer|connection reset|broken pipe|remote process exited"
    r"|failed to recv, got 0 bytes|connection was likely closed|socketpollconnect|peer .* (is gone|disconnected)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Failure:
    """One worker's failure as the user is shown it."""

    rank: int
    error: Exception
    summary: str
    details: str
    killed: bool = False
    lost_peer: bool = False


def raised(rank: int, message: Failed) -> Failure:
    """The failure of a worker whose train function raised."""
    error: Exception | None = None
    if message.exception is not None:
        try:
            error = pickle.loads(message.exception)
        except Exception:
            error = None
    if not isinstance(error, Exception):  # SystemExit, or an exception that only the worker could build
        error = RuntimeError(message.summary)
    return Failure(
        rank, error, message.summary, message.traceback.rstrip(), lost_peer=bool(_LOST_PEER.search(message.summary))
    )


def died(rank: int, returncode: int) -> Failure:
    """The failure of a worker whose process ended without a word."""
    if returncode < 0:
        name = signal.Signals(-returncode).name if -returncode in set(signal.Signals) else f"signal {-returncode}"
        hint = " (often the kernel, because memory ran out)" if name == "SIGKILL" else ""
        text = f"The worker process was killed by {name}{hint}."
    else:
        text = f"The worker process exited with status {returncode} before its train function returned."
    error = WorkerDiedError(text)
    return Failure(rank, error, text, text, killed=returncode < 0)


def culprits(failures: Iterable[Failure]) -> list[Failure]:
    """The failures that explain the others: killed workers first, then those not caused by a lost peer."""
    ordered = sorted(failures, key=lambda failure: (not failure.killed, failure.lost_peer))
    return [failure for failure in ordered if not failure.lost_peer] or ordered


def to_error(blamed: list[Failure]) -> WorkerGroupError:
    """The exception that `fit()` raises: whole tracebacks, by rank, caused by the first culprit's exception."""
    details = "\n".join(f"[Rank {failure.rank}]\n{failure.details}\n" for failure in blamed)
    error = WorkerGroupError(details, {failure.rank: failure.error for failure in blamed})
    error.__cause__ = blamed[0].error
    return error
