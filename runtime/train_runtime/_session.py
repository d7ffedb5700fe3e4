"""The worker's side of a run: what `report` and the context functions act on."""

from __future__ import annotations

import dataclasses
import os
import pickle
import sys
import threading
from typing import TYPE_CHECKING, Any, Protocol

from train_runtime._logs import LOG_FOLDER
from train_runtime._messages import (
    Broadcast,
    Broadcasted,
    CheckpointList,
    CheckpointStored,
    DatasetFolder,
    DriverMessage,
    ListCheckpoints,
    Persist,
    Persisted,
    Report,
    ReportStored,
    WorkerMessage,
    WorkerSpec,
)
from train_runtime.report_config import CheckpointUploadMode

if TYPE_CHECKING:
    from train_runtime._handover import Handover
    from train_runtime.checkpoint import Checkpoint
    from train_runtime.data import DataIterator
    from train_runtime.data._shards import Shards


# Most metrics are of these types, which need no closer look.
_PLAIN = {bool, float, int, str, type(None)}


class Channel(Protocol):
    """A worker's connection to the driver."""

    def send(self, message: WorkerMessage) -> None: ...

    def receive(self) -> DriverMessage:
        """The driver's next answer."""
        ...

    def stored_meanwhile(self) -> list[CheckpointStored]:
        """The news, since the last call, of checkpoints that nobody waited for."""
        ...

    def fail(self, error: BaseException) -> None:
        """End the worker with this error, from any thread."""
        ...


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
        self._checkpoint = checkpoint
        self._channel = channel
        self._datasets = datasets
        self._shards: Shards | None = None
        self._upload: threading.Thread | None = None

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The latest stored checkpoint."""
        for news in self._channel.stored_meanwhile():
            self._set_checkpoint(news.checkpoint_name)
        return self._checkpoint

    def report(self, metrics: dict[str, Any], dir_name: str | None, handover: Handover | None) -> None:
        """Hand the report to the driver and wait until all ranks have reported and the checkpoint is stored."""
        _reject_tensors(metrics)
        _check_dir_name(dir_name)
        if handover is not None:
            handover.check(self.worker.folder)
        self.finish_upload()
        self._channel.send(
            Report(
                metrics=_pickled(dict(metrics)) if self.worker.reports_metrics else None,
                source=handover.checkpoint.path if handover is not None else None,
                checkpoint_dir_name=dir_name,
                is_async=handover is not None and handover.mode is CheckpointUploadMode.ASYNC,
            )
        )
        answer = self._channel.receive()
        if isinstance(answer, Persist):
            if answer.is_yours and handover is not None:
                handover = dataclasses.replace(handover, give_away=handover.give_away and not answer.keeps_source)
                if handover.mode is CheckpointUploadMode.ASYNC:
                    self._start_upload(handover, answer.name)
                else:
                    self._persist(handover, answer)
            if not answer.is_waited_for:
                return
            answer = self._channel.receive()
        assert isinstance(answer, ReportStored), answer
        self._set_checkpoint(answer.checkpoint_name)

    def finish_upload(self) -> None:
        """Wait for the upload that runs in a thread, if there is one."""
        if self._upload is not None:
            self._upload.join()
            self._upload = None

    def reported_checkpoints(self, timeout: float | None) -> list[tuple[Checkpoint, dict[str, Any]]]:
        """The checkpoints on disk with their metrics, once an upload in a thread is over or the time has passed."""
        if self._upload is not None:
            self._upload.join(timeout)
        self._channel.send(ListCheckpoints())
        answer = self._channel.receive()
        assert isinstance(answer, CheckpointList), answer
        return answer.checkpoints

    def _persist(self, handover: Handover, order: Persist) -> None:
        """Store this rank's part; the other ranks are let go on before an error is raised."""
        try:
            stored_as = handover.persist(self.worker.folder, order.name, self.worker.rank)
        except BaseException:
            self._channel.send(Persisted(has_failed=True))
            if order.is_waited_for:
                self._channel.receive()
            raise
        self._channel.send(Persisted(stored_as))

    def _start_upload(self, handover: Handover, name: str) -> None:
        def upload() -> None:
            try:
                stored_as = handover.persist(self.worker.folder, name, self.worker.rank)
            except BaseException as error:
                self._channel.fail(error)
            else:
                self._channel.send(Persisted(stored_as))

        self._upload = threading.Thread(target=upload, name="train_runtime-upload", daemon=True)
        self._upload.start()

    def _set_checkpoint(self, name: str | None) -> None:
        if name is not None:
            self._checkpoint = self.worker.folder.checkpoint(name)

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
    """What the driver can unpickle; numbers and texts take the short way."""
    if all(type(value) in _PLAIN for value in metrics.values()):
        return pickle.dumps(metrics)
    from train_runtime import _pickling

    return _pickling.dumps(metrics, "The metrics cannot be sent to the driver", metrics=metrics)


def _check_dir_name(name: str | None) -> None:
    if name is not None and (name.startswith(".") or os.path.basename(name) != name or not name):
        raise ValueError(f"checkpoint_dir_name must be a plain directory name that starts with no dot, not {name!r}.")
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
        if type(value) in _PLAIN:
            continue
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
