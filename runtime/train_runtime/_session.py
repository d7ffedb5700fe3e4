"""The worker's side of a run: what `report` and the context functions act on."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

from train_runtime._logs import LOG_FOLDER
from train_runtime._messages import (
    Broadcast,
    Broadcasted,
    DatasetFolder,
    DriverMessage,
    Report,
    ReportStored,
    WorkerMessage,
    WorkerSpec,
)
from train_runtime.checkpoint import Checkpoint

if TYPE_CHECKING:
    from train_runtime.data import DataIterator
    from train_runtime.data._shards import Shards


class Channel(Protocol):
    """A worker's connection to the driver."""

    def send(self, message: WorkerMessage) -> None: ...

    def receive(self) -> DriverMessage: ...


class Session:
    """One worker of one run."""

    def __init__(
        self,
        worker: WorkerSpec,
        channel: Channel,
        checkpoint: Checkpoint | None,
        datasets: DatasetFolder | None,
    ) -> None:
        self.worker = worker
        self.checkpoint = checkpoint
        self._channel = channel
        self._datasets = datasets
        self._shards: Shards | None = None

    def report(self, metrics: dict[str, Any], checkpoint: Checkpoint | None, dir_name: str | None) -> None:
        """Hand the report to the driver and wait until all ranks have reported and the checkpoint is stored."""
        _reject_tensors(metrics)
        _check_dir_name(dir_name)
        message = Report(
            metrics=_pickled(metrics) if self.worker.reports_metrics else None,
            checkpoint_path=_local_directory(checkpoint) if checkpoint is not None else None,
            checkpoint_dir_name=dir_name,
        )
        self._channel.send(message)
        stored = self._channel.receive()
        assert isinstance(stored, ReportStored), stored
        if stored.checkpoint_path is not None:
            self.checkpoint = Checkpoint.from_directory(stored.checkpoint_path)

    def broadcast(self, caller: str, data: object) -> Any:
        """Wait until all ranks have come to this or another collective; gives rank 0's data."""
        import cloudpickle

        from train_runtime import _pickling

        pickled = b""
        if self.worker.rank == 0:
            pickled = _pickling.dumps(data, "The data cannot be sent to the other ranks", data=data)
        self._channel.send(Broadcast(caller, pickled))
        done = self._channel.receive()
        assert isinstance(done, Broadcasted), done
        return cloudpickle.loads(done.data)

    def dataset_shard(self, name: str | None) -> DataIterator:
        """This worker's part of a dataset.

        Raises:
            KeyError: if the trainer was not given it.
        """
        if self._shards is None and self._datasets is not None:
            from train_runtime.data._shards import Shards

            self._shards = Shards(self._datasets, self.worker.rank, self.worker.world_size)
        if self._shards is None or name is None or name not in self._shards:
            raise KeyError(
                f"Dataset shard for {name!r} not found. Please ensure that the dataset is passed through the Trainer "
                "`datasets` argument."
            )
        return self._shards[name]


def _pickled(metrics: dict[str, Any]) -> bytes:
    from train_runtime import _pickling

    return _pickling.dumps(dict(metrics), "The metrics cannot be sent to the driver", metrics=metrics)


def _local_directory(checkpoint: Checkpoint) -> str:
    if "://" in checkpoint.path:
        raise ValueError(f"report() takes a checkpoint in a local directory, not {checkpoint.path}.")
    if not os.path.isdir(checkpoint.path):
        raise FileNotFoundError(f"The checkpoint's directory does not exist: {checkpoint.path}")
    return checkpoint.path


def _check_dir_name(name: str | None) -> None:
    if name is not None and (name in ("", ".", "..") or os.path.basename(name) != name):
        raise ValueError(f"checkpoint_dir_name must be a plain directory name, not {name!r}.")
    if name == LOG_FOLDER:
        raise ValueError(f"checkpoint_dir_name={name!r} is where the run keeps its workers' output: take another one.")


def _reject_tensors(metrics: object) -> None:
    """Raise as Ray does: a tensor would tie the report to the worker's device."""
    torch = sys.modules.get("torch")
    if torch is None:
        return
    values = list(metrics.values()) if isinstance(metrics, dict) else [metrics]
    while values:
        value = values.pop()
        if isinstance(value, torch.Tensor):
            raise ValueError("The metrics passed to report() contain a torch tensor: convert it with `.item()` first.")
        if isinstance(value, dict):
            values.extend(value.values())
        elif isinstance(value, (list, tuple, set)):
            values.extend(value)


class _Holder:
    """The process's session: a worker has one from before its train function starts, every other process none."""

    session: Session | None = None


def start(session: Session) -> None:
    """Make this process the session's worker."""
    _Holder.session = session


def end() -> None:
    """Make this process an ordinary one again."""
    _Holder.session = None


def is_worker() -> bool:
    """Whether this process is a session's worker."""
    return _Holder.session is not None


def current(caller: str) -> Session:
    """This worker's session.

    Raises:
        RuntimeError: outside a worker, as on Ray 2.60.
    """
    if _Holder.session is None:
        raise RuntimeError(
            f"`{caller}` cannot be used outside of a train function: call it in the function that you pass to "
            "`TorchTrainer`, where it runs on each worker."
        )
    return _Holder.session
