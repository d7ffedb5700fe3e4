"""How `report` stores a checkpoint, and what it says of those that were reported (Ray 2.60's classes)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train_runtime.checkpoint import Checkpoint


class CheckpointUploadMode(enum.Enum):
    """When and whether `report` copies the checkpoint's files.

    SYNC: before it returns. ASYNC: in a thread, while training goes on; the next report, and the train function's end,
    wait for it. NO_UPLOAD: never, as they lie in the run's directory already.
    """

    ASYNC = "ASYNC"
    SYNC = "SYNC"
    NO_UPLOAD = "NO_UPLOAD"

    def default_delete_local_checkpoint_after_upload(self) -> bool:
        """Whether `report` deletes the files that it was given unless told otherwise."""
        return self is CheckpointUploadMode.ASYNC


class CheckpointConsistencyMode(enum.Enum):
    """What `get_all_reported_checkpoints` waits for: both are the same here, where checkpoints are not validated."""

    COMMITTED = "COMMITTED"
    VALIDATED = "VALIDATED"


class ReportedCheckpointStatus(enum.Enum):
    """What has become of a reported checkpoint: always COMMITTED here, where checkpoints are not validated."""

    COMMITTED = "COMMITTED"
    PENDING_VALIDATION = "PENDING_VALIDATION"
    VALIDATED = "VALIDATED"
    VALIDATION_TIMEOUT = "VALIDATION_TIMEOUT"
    VALIDATION_FAILED = "VALIDATION_FAILED"


@dataclass
class ReportedCheckpoint:
    """A checkpoint that is on disk, with the metrics reported with it."""

    checkpoint: Checkpoint
    metrics: dict[str, Any]
    status: ReportedCheckpointStatus
