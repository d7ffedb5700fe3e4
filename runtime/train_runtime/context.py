"""The functions that a train function calls: `report`, `get_checkpoint`, `get_context`, `get_dataset_shard`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from train_runtime import _session
from train_runtime.config import warn_ignored

if TYPE_CHECKING:
    from train_runtime._messages import WorkerSpec
    from train_runtime.checkpoint import Checkpoint
    from train_runtime.data import DataIterator


@dataclass(frozen=True)
class Storage:
    """Where the run is stored (the part of Ray's `StorageContext` that names paths)."""

    storage_path: str
    experiment_dir_name: str
    experiment_fs_path: str


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
        path = self._worker.run_path
        return Storage(os.path.dirname(path), os.path.basename(path), path)

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
        return self._worker.run_path

    def get_trial_resources(self) -> NoReturn:
        """Gone since Ray's Train V2.

        Raises:
            DeprecationWarning: always, as Ray 2.60 does.
        """
        raise DeprecationWarning("`get_trial_resources` belonged to Ray Tune: there are no trials.")


def report(
    metrics: dict[str, Any], checkpoint: Checkpoint | None = None, checkpoint_dir_name: str | None = None
) -> None:
    """Report metrics, and a checkpoint if given; a barrier that every rank must reach equally often.

    Rank 0's metrics and `checkpoint_dir_name` count. The checkpoint directories of all ranks are copied into one,
    which is there, complete, when the call returns; the originals are left alone (`ray.train.report`).

    Raises:
        ValueError: if a torch tensor is among the metrics.
        FileNotFoundError: if the checkpoint's directory does not exist.
        RuntimeError: outside a worker.
    """
    _session.current("report").report(metrics, checkpoint, checkpoint_dir_name)


def get_checkpoint() -> Checkpoint | None:
    """The latest checkpoint of this run, of the run of the same name before it, or None (`ray.train.get_checkpoint`).

    Raises:
        RuntimeError: outside a worker.
    """
    return _session.current("get_checkpoint").checkpoint


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
