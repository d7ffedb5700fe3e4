"""The workers' process group: torch's, over the loopback interface."""

from __future__ import annotations

import datetime
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from train_runtime._placement import LOOPBACK

if TYPE_CHECKING:
    from train_runtime._messages import ProcessGroupSpec, WorkerSpec


def listen(spec: ProcessGroupSpec) -> Any:
    """Rank 0's store, listening on a free loopback port (`store.port`) of its own for each attempt."""
    import torch.distributed as dist

    server = socket.socket()
    server.bind((LOOPBACK, 0))
    server.listen(1024)
    # torch's own socket would listen on every interface; its libuv server cannot take over a socket.
    return dist.TCPStore(
        LOOPBACK,
        server.getsockname()[1],
        is_master=True,
        timeout=_timeout(spec),
        wait_for_workers=False,
        master_listen_fd=server.detach(),
        use_libuv=False,
    )


def connect(port: int, spec: ProcessGroupSpec) -> Any:
    """Another rank's view of rank 0's store."""
    import torch.distributed as dist

    return dist.TCPStore(LOOPBACK, port, is_master=False, timeout=_timeout(spec))


def join(store: Any, worker: WorkerSpec, spec: ProcessGroupSpec) -> None:
    """Initialise the default process group, and make this worker's first GPU the current one."""
    import torch
    import torch.distributed as dist

    loopback = "lo" if sys.platform == "linux" else "lo0"
    os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
    os.environ.setdefault("NCCL_SOCKET_IFNAME", loopback)
    if "nccl" in spec.backend:
        os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1")
    device = device_of(worker)
    os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        spec.backend, store=store, rank=worker.rank, world_size=worker.world_size, timeout=_timeout(spec)
    )


def leave() -> None:
    """Destroy the default process group, unless the train function already has."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def device_of(worker: WorkerSpec) -> Any:
    """The worker's first device, a `torch.device`."""
    import torch

    return torch.device("cuda", worker.device_indices[0]) if worker.device_indices else torch.device("cpu")


def _timeout(spec: ProcessGroupSpec) -> datetime.timedelta:
    return datetime.timedelta(seconds=spec.timeout_s)
