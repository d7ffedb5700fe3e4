"""Which of several failing workers is at fault.

When one worker dies, its peers fail too, with "connection closed by peer" and the like, and their news may arrive
first, even long before if the worker dies slowly. So failures are gathered for as long as the cause may still be
missing, and a worker that only lost its peer is blamed only if no other is.
"""

from __future__ import annotations

import enum
import pickle
import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from train_runtime.errors import WorkerDiedError, WorkerGroupError, WorkerHungError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from train_runtime._messages import Failed


class Standing(enum.IntEnum):
    """What a failure says about its rank, from the surest culprit to the surest victim."""

    KILLED = enum.auto()  # by a signal
    OWN = enum.auto()  # it raised, exited or aborted
    ABSENT = enum.auto()  # it kept others waiting
    NETWORK = enum.auto()  # a connection was lost, to a peer or to somebody else
    TIMED_OUT = enum.auto()  # it waited for a peer in vain
    LOST_PEER = enum.auto()  # a peer closed its connection


# For how long, after the first failure, others may still explain it better, by the surest culprit so far.
_PATIENCE_S = {
    Standing.KILLED: 0.0,
    Standing.OWN: 0.1,
    Standing.ABSENT: 0.1,
    Standing.NETWORK: 0.1,
    Standing.TIMED_OUT: 1.0,
    Standing.LOST_PEER: 5.0,
}

_TIMED_OUT = re.compile(
    r"timed out waiting \d+ms for|wait timeout after \d+ms|collective operation timeout|socket (has )?time[d ]"
    r"|monitoredBarrier",
    re.IGNORECASE,
)
_LOST_PEER = re.compile(
    r"connection (was )?(closed|reset) by (remote )?peer|connection reset|broken pipe|remote process exited"
    r"|failed to recv, got 0 bytes|connection was likely closed|socketpollconnect|peer .* (is gone|disconnected)"
    r"|DistNetworkError",
    re.IGNORECASE,
)
# Python's own connections lead to peers only in the rarest of programs; torch's errors are `RuntimeError`s.
_NETWORK = re.compile(r"[\w.]*(Connection\w*|BrokenPipe|URL|HTTP|SSL|Endpoint\w*)Error\b")


@dataclass(frozen=True)
class Failure:
    """One worker's failure as the user is shown it."""

    rank: int
    error: Exception
    summary: str
    details: str
    standing: Standing


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
    return Failure(rank, error, message.summary, message.traceback.rstrip(), _standing(message.causes))


def _standing(causes: Sequence[str]) -> Standing:
    """How sure it is that a rank which raised is at fault, from its exception and those that led to it."""
    if any(map(_TIMED_OUT.search, causes)):
        return Standing.TIMED_OUT
    lost = [cause for cause in causes if _LOST_PEER.search(cause)]
    if not lost:
        return Standing.OWN
    return Standing.NETWORK if all(map(_NETWORK.match, lost)) else Standing.LOST_PEER


def died(rank: int, returncode: int) -> Failure:
    """The failure of a worker whose process ended without a word."""
    if returncode < 0:
        name = signal.Signals(-returncode).name if -returncode in set(signal.Signals) else f"signal {-returncode}"
        hint = " (often the kernel, because memory ran out)" if name == "SIGKILL" else ""
        text = f"The worker process was killed by {name}{hint}."
    else:
        text = f"The worker process exited with status {returncode} before its train function returned."
    # Libraries abort a healthy rank when its peer is lost.
    killed = returncode < 0 and -returncode != signal.SIGABRT
    return Failure(rank, WorkerDiedError(text), text, text, Standing.KILLED if killed else Standing.OWN)


def absent(rank: int, summary: str, stack: str = "") -> Failure:
    """The failure of a worker that kept others waiting; `stack` is where it was."""
    details = f"{summary}\n{stack}".rstrip()
    return Failure(rank, WorkerHungError(details), summary, details, Standing.ABSENT)


def patience_s(failures: Collection[Failure]) -> float:
    """For how long, counted from the first of these failures, others may explain them better."""
    return _PATIENCE_S[min(failure.standing for failure in failures)]


def are_victims(failures: Collection[Failure]) -> bool:
    """Whether all of these failures have their cause in another rank."""
    return all(failure.standing in (Standing.TIMED_OUT, Standing.LOST_PEER) for failure in failures)


def culprits(failures: Iterable[Failure]) -> list[Failure]:
    """The failures that explain the others, the surest first; all of them if none does."""
    ordered = sorted(failures, key=lambda failure: failure.standing)
    return [failure for failure in ordered if failure.standing <= Standing.OWN] or ordered


def to_error(blamed: list[Failure]) -> WorkerGroupError:
    """The exception that `fit()` raises: whole tracebacks, by rank, caused by the first culprit's exception."""
    details = "\n".join(f"[Rank {failure.rank}]\n{failure.details}\n" for failure in blamed)
    error = WorkerGroupError(details, {failure.rank: failure.error for failure in blamed})
    error.__cause__ = blamed[0].error
    return error
