"""The functions that a train function calls: `report`, `get_checkpoint`, `get_context`, `get_dataset_shard`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from train_runtime import _session
from train_runtime.config import warn_ignored
from train_runtime.report_config import (
    CheckpointConsistencyMode,
    CheckpointUploadMode,
    ReportedCheckpoint,
    ReportedCheckpointStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from train_runtime._messages import WorkerSpec
    from train_runtime.checkpoint import Checkpoint
    from train_runtime.data import DataIterator


@dataclass(frozen=True)
class Storage:
    """Where the run is stored (the part of Ray's `StorageContext` that names paths)."""

    storage_fs_path: str
    experiment_dir_name: str
    storage_filesystem: Any

    @property
    def experiment_fs_path(self) -> str:
        """The run's folder, as a path on `storage_filesystem`."""
        return f"{self.storage_fs_path.rstrip('/')}/{self.experiment_dir_name}"

    def build_checkpoint_path_from_name(self, checkpoint_name: str) -> str:
        """Where a checkpoint of that name is stored."""
        return f"{self.experiment_fs_path}/{checkpoint_name}"


class TrainContext:
    """This worker's place in the run (`ray.train.TrainContext`).

    The trial methods of Ray 2.7 answer for the run, with a `DeprecationWarning`; Ray 2.60 raises there.
    """

    def __init__(self, worker: WorkerSpec) -> None:
        self._worker = worker

    def get_experiment_name(self) -> str:
        """The run's name."""
        return self._worker.experiment_name

    def get_world_size(self) -> int:
        """The number of workers."""
        return self._worker.world_size

    def get_world_rank(self) -> int:
        """This worker's rank among all."""
        return self._worker.rank

    def get_local_rank(self) -> int:
        """This worker's rank on its machine, of which there is one."""
        return self._worker.rank

    def get_local_world_size(self) -> int:
        """The number of workers on this machine."""
        return self._worker.world_size

    def get_node_rank(self) -> int:
        """Always 0: there is one machine."""
        return 0

    def get_storage(self) -> Storage:
        """Where the run is stored."""
        folder = self._worker.folder
        return Storage(*os.path.split(folder.path), folder.checkpoint("").filesystem)

    def get_metadata(self) -> dict[str, Any]:
        """The `metadata` given to the trainer (Ray 2.7)."""
        warn_ignored("get_metadata()", "pass the values in `train_loop_config`.", stacklevel=3)
        return dict(self._worker.metadata)

    def get_trial_name(self) -> str:
        """The run's name (Ray 2.7: the trial's)."""
        warn_ignored("get_trial_name()", "there are no trials; this is `get_experiment_name()`.", stacklevel=3)
        return self._worker.experiment_name

    def get_trial_id(self) -> str:
        """The run's name (Ray 2.7: the trial's identifier)."""
        warn_ignored("get_trial_id()", "there are no trials; this is `get_experiment_name()`.", stacklevel=3)
        return self._worker.experiment_name

    def get_trial_dir(self) -> str:
        """The run's directory (Ray 2.7: the trial's)."""
        warn_ignored("get_trial_dir()", "there are no trials; this is the run's directory.", stacklevel=3)
        return self._worker.folder.path

    def get_trial_resources(self) -> NoReturn:
        """Gone since Ray's Train V2.

        Raises:
            DeprecationWarning: always, as Ray 2.60 does.
        """
        raise DeprecationWarning("`get_trial_resources` belonged to Ray Tune: there are no trials.")


def report(
    metrics: dict[str, Any],
    checkpoint: Checkpoint | None = None,
    checkpoint_dir_name: str | None = None,
    checkpoint_upload_mode: CheckpointUploadMode = CheckpointUploadMode.SYNC,
    delete_local_checkpoint_after_upload: bool | None = None,
    checkpoint_upload_fn: Callable[[Checkpoint, str], Checkpoint] | None = None,
    validation: object = False,
) -> None:
    """Report metrics, and a checkpoint if given; a barrier that every rank must reach equally often.

    Rank 0's metrics and `checkpoint_dir_name` count. The checkpoint directories of all ranks are copied into one,
    which is there, complete, when the call returns; the originals are left alone (`ray.train.report`).

    With `CheckpointUploadMode.ASYNC` the call returns before the files are copied, and they are deleted afterwards,
    unless `delete_local_checkpoint_after_upload` is False. If that is True, files are not copied but moved where they
    are on the storage's own file system. `checkpoint_upload_fn(checkpoint, name)` stores the files itself, in the run's
    folder, and returns where.

    Raises:
        ValueError: if a torch tensor is among the metrics, or the other arguments contradict each other.
        FileNotFoundError: if the checkpoint's directory does not exist.
        OSError: if the files cannot be stored.
        NotImplementedError: for `validation`, which needs Ray.
        RuntimeError: outside a worker.
    """
    from train_runtime._handover import Handover

    session = _session.current("report")
    if not isinstance(checkpoint_upload_mode, CheckpointUploadMode):
        raise ValueError(f"Invalid checkpoint upload mode: {checkpoint_upload_mode!r}")
    if validation:
        if checkpoint is None:
            raise ValueError("Validation requires a checkpoint to be provided.")
        raise NotImplementedError(
            "report(validation=...): this runtime does not validate checkpoints. Validate them in the train function, "
            "or run the script on Ray (`pip install 'ray[train]'`)."
        )
    handover = None
    if checkpoint is not None:
        give_away = delete_local_checkpoint_after_upload
        if give_away is None:
            give_away = checkpoint_upload_mode.default_delete_local_checkpoint_after_upload()
        handover = Handover(checkpoint, checkpoint_upload_mode, give_away, checkpoint_upload_fn)
    session.report(metrics, checkpoint_dir_name, handover)


def get_checkpoint() -> Checkpoint | None:
    """The latest checkpoint of this run, of the run of the same name before it, or None (`ray.train.get_checkpoint`).

    Raises:
        RuntimeError: outside a worker.
    """
    return _session.current("get_checkpoint").checkpoint


def get_all_reported_checkpoints(
    consistency_mode: CheckpointConsistencyMode = CheckpointConsistencyMode.VALIDATED, timeout_s: float | None = None
) -> list[ReportedCheckpoint]:
    """The checkpoints that are on disk from worst to best (`ray.train.get_all_reported_checkpoints`).

    Waits for an upload of this worker's that runs in a thread, for at most `timeout_s`.

    Raises:
        ValueError: for another consistency mode.
        RuntimeError: outside a worker.
    """
    session = _session.current("get_all_reported_checkpoints")
    if not isinstance(consistency_mode, CheckpointConsistencyMode):
        raise ValueError(f"Unexpected CheckpointConsistencyMode: {consistency_mode!r}")
    return [
        ReportedCheckpoint(checkpoint, metrics, ReportedCheckpointStatus.COMMITTED)
        for checkpoint, metrics in session.reported_checkpoints(timeout_s)
    ]


def get_context() -> TrainContext:
    """This worker's context (`ray.train.get_context`).

    Raises:
        RuntimeError: outside a worker.
    """
    return TrainContext(_session.current("get_context").worker)


def get_dataset_shard(dataset_name: str | None = None) -> DataIterator:
    """This worker's part of a dataset that the trainer was given (`ray.train.get_dataset_shard`).

    Raises:
        KeyError: if the trainer was not given it.
        RuntimeError: outside a worker.
    """
    return _session.current("get_dataset_shard").dataset_shard(dataset_name)
