"""What the driver and a worker tell each other, pickled over one connection a worker.

User objects travel as cloudpickle bytes inside, so that what cannot be unpickled is blamed on the right side.

    driver                                worker
      ── Assignment ──────────────────────▶
      ◀───────────────── StoreListening ──  (rank 0 only)
      ── Rendezvous ──────────────────────▶
      ◀──────────────────────── Running ──  (joined the process group; the train function is called)
      ◀───────────────────────── Report ──  (as often as the train function reports)
      ── Persist ─────────────────────────▶  (once all ranks have reported, if one of them gave a checkpoint)
      ◀────────────────────── Persisted ──  (a rank's part is in the run's folder)
      ── ReportStored, CheckpointStored ──▶  (once everything is)
      ◀────────────────────── Broadcast ──  (as often as it meets the others in `train_runtime.collective`)
      ── Broadcasted ─────────────────────▶  (once all ranks have come)
      ◀──────────────── Finished, Failed ──
      ── Shutdown ────────────────────────▶  (once all ranks have finished)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train_runtime._folder import RunFolder
    from train_runtime.checkpoint import Checkpoint


@dataclass(frozen=True)
class ProcessGroupSpec:
    """How the workers' process group is made."""

    backend: str
    timeout_s: float


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker must know about itself and the run."""

    rank: int
    world_size: int
    device_indices: tuple[int, ...]
    experiment_name: str
    folder: RunFolder
    metadata: dict[str, Any]
    reports_metrics: bool = True
    """Whether the driver wants its metrics: rank 0's always, everybody's if there is a callback to hand them to."""


@dataclass(frozen=True)
class DatasetFolder:
    """Where the driver has put the run's datasets, and where an attempt's workers put what they compute of them."""

    path: str
    passes: str
    to_split: frozenset[str] | None
    """The names of those that are split between workers; None for all."""


@dataclass(frozen=True)
class Assignment:
    """The worker's task: `train_function` is a pickled callable without arguments."""

    worker: WorkerSpec
    process_group: ProcessGroupSpec
    train_function: bytes
    checkpoint: Checkpoint | None
    datasets: DatasetFolder | None
    serve_ray: bool
    argv: tuple[str, ...]
    sources: dict[str, list[str]]
    stacks_file: str


@dataclass(frozen=True)
class Rendezvous:
    """Where rank 0's store listens."""

    port: int


@dataclass(frozen=True)
class Persist:
    """All ranks have reported: those that the call is for store their part of the checkpoint `name` now.

    Unless it `is_waited_for`, `report` returns, and `CheckpointStored` follows instead of `ReportStored`.
    """

    name: str
    is_yours: bool
    is_waited_for: bool
    keeps_source: bool
    """The reported directory is a registered checkpoint, which must stay."""


@dataclass(frozen=True)
class ReportStored:
    """All ranks have reported, and everything is stored; the name of the checkpoint, if one was."""

    checkpoint_name: str | None


@dataclass(frozen=True)
class CheckpointStored:
    """The checkpoint that nobody waits for is stored; None if it could not be."""

    checkpoint_name: str | None


@dataclass(frozen=True)
class CheckpointList:
    """The answer to `ListCheckpoints`: the checkpoints on disk with their metrics."""

    checkpoints: list[tuple[Checkpoint, dict[str, Any]]]


@dataclass(frozen=True)
class Broadcasted:
    """All ranks have come to the collective; rank 0's pickled data."""

    data: bytes


@dataclass(frozen=True)
class Shutdown:
    """All ranks have finished: leave the process group and exit."""


@dataclass(frozen=True)
class StoreListening:
    """Rank 0's store listens on this loopback port."""

    port: int


@dataclass(frozen=True)
class Running:
    """The worker has joined the process group and calls the train function."""


@dataclass(frozen=True)
class Report:
    """One call of `report`; ranks whose metrics nobody wants send none.

    `source` is the path of the rank's checkpoint, if it gave one.
    """

    metrics: bytes | None
    source: str | None
    checkpoint_dir_name: str | None
    is_async: bool


@dataclass(frozen=True)
class Persisted:
    """The rank's part of the checkpoint is in the run's folder, elsewhere than prepared if `stored_as` says so."""

    stored_as: str | None = None
    has_failed: bool = False


@dataclass(frozen=True)
class ListCheckpoints:
    """Which checkpoints are on disk?"""


@dataclass(frozen=True)
class Broadcast:
    """One call of a collective (`caller`); only rank 0 sends pickled data."""

    caller: str
    data: bytes


@dataclass(frozen=True)
class Finished:
    """The train function returned; only rank 0 sends the value."""

    return_value: bytes | None


@dataclass(frozen=True)
class Failed:
    """The train function raised.

    The pickled exception (None if it cannot be pickled), its formatted traceback, and the texts of the exception and of
    those that led to it.
    """

    exception: bytes | None
    summary: str
    traceback: str
    causes: tuple[str, ...]


WorkerMessage = StoreListening | Running | Report | Persisted | ListCheckpoints | Broadcast | Finished | Failed
DriverMessage = (
    Assignment | Rendezvous | Persist | ReportStored | CheckpointStored | CheckpointList | Broadcasted | Shutdown
)
