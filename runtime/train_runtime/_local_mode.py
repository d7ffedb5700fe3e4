"""`ScalingConfig(num_workers=0)`, Ray's local mode: the train function runs in the driver, where a debugger sees it.

Nothing is stored, pickled or restarted, and an exception is raised as it is. Under torchrun each of its processes is a
rank of one process group.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from train_runtime import _session
from train_runtime._local_folder import LocalFolder
from train_runtime._messages import WorkerSpec
from train_runtime.result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from train_runtime._handover import Handover
    from train_runtime.checkpoint import Checkpoint

_OF_TORCHRUN = {"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}


class LocalSession(_session.Session):
    """Remembers the last report, as Ray's local mode does; there is nobody to meet, and nothing to continue from."""

    def __init__(self, worker: WorkerSpec, datasets: Mapping[str, Any]) -> None:
        self.worker = worker
        self._checkpoint = None
        self.metrics: dict[str, Any] | None = None
        self._all_datasets = datasets

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The last report's checkpoint."""
        return self._checkpoint

    def report(self, metrics: dict[str, Any], dir_name: str | None, handover: Handover | None) -> None:
        """Keep the metrics and the checkpoint itself."""
        self.metrics, self._checkpoint = metrics, handover.checkpoint if handover else None

    def reported_checkpoints(self, timeout: float | None) -> list[tuple[Checkpoint, dict[str, Any]]]:
        """The last report's checkpoint, if it had one."""
        return [(self._checkpoint, self.metrics or {})] if self._checkpoint else []

    def broadcast(self, caller: str, data: object) -> Any:
        """The data."""
        return data

    def dataset_shard(self, name: str | None) -> Any:
        """The whole dataset."""
        if name is None or name not in self._all_datasets:
            raise AssertionError(f"Dataset shard {name} not found.")
        return self._all_datasets[name]


def run(function: Callable[[], Any], run_name: str, metadata: dict[str, Any], datasets: Mapping[str, Any]) -> Result:
    """Call the function in this process, which counts as the only worker meanwhile."""
    import torch
    import torch.distributed as dist

    rank, size = 0, 1
    if os.environ.keys() >= _OF_TORCHRUN:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        rank, size = dist.get_rank(), dist.get_world_size()
    worker = WorkerSpec(
        rank=rank,
        world_size=size,
        device_indices=(torch.cuda.current_device(),) if torch.cuda.is_available() else (),
        experiment_name=run_name,
        folder=LocalFolder(""),
        metadata=metadata,
    )
    session = LocalSession(worker, {name: value() if callable(value) else value for name, value in datasets.items()})
    _session.start(session)
    try:
        returned = function()
    finally:
        _session.end()
        if dist.is_initialized():
            dist.destroy_process_group()
    return Result(session.metrics, session.checkpoint, None, None, return_value=returned)
