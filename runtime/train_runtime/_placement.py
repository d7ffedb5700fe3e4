"""Which worker gets which devices and environment variables."""

from __future__ import annotations

import math
import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from train_runtime.config import ScalingConfig

LOOPBACK = "127.0.0.1"
_STRATEGIES = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")


@dataclass(frozen=True)
class Placement:
    """One worker's GPUs, as indices among the devices that it sees, and its environment."""

    device_indices: tuple[int, ...]
    environment: dict[str, str]


def place_workers(scaling: ScalingConfig, extra_environment: Mapping[str, str]) -> list[Placement]:
    """One placement a rank.

    Every worker sees the GPUs of all workers, in the same order, as on Ray, so that peers can reach each other; CPU
    workers see none.

    Raises:
        ValueError: if the machine has too few GPUs, or one machine cannot be what `placement_strategy` asks for.
    """
    gpus = _visible_gpus() if scaling.use_gpu else []
    share = scaling.num_gpus_per_worker
    count = _count(scaling, len(gpus))
    _check_machine(scaling, count)
    needed = math.ceil(count * share)
    if needed > len(gpus):
        raise ValueError(
            f"{count} workers with {share:g} GPU each need {needed} GPUs; this machine offers {len(gpus)}. "
            "Lower `num_workers`, or set `use_gpu=False`."
        )
    threads = str(max(int(scaling.num_cpus_per_worker), 1))
    shared = {
        "MASTER_ADDR": LOOPBACK,
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "NODE_RANK": "0",
        "CUDA_VISIBLE_DEVICES": ",".join(gpus[:needed]),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads),
    }
    return [
        Placement(
            device_indices=_indices(rank, share),
            environment={
                **os.environ,
                **shared,
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                **extra_environment,
            },
        )
        for rank in range(count)
    ]


def _count(scaling: ScalingConfig, gpus: int) -> int:
    """The number of workers; of a range, as many as there are GPUs or CPUs for."""
    if isinstance(scaling.num_workers, int):
        return scaling.num_workers
    low, high = scaling.num_workers
    there, each = (gpus, scaling.num_gpus_per_worker) if scaling.use_gpu else (_cpus(), scaling.num_cpus_per_worker)
    fitting = int(there / each) if each > 0 else high
    return max(1, low, min(high, fitting))


def _cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_machine(scaling: ScalingConfig, count: int) -> None:
    """Refuse what needs several machines, and warn of what would choose among them."""
    if scaling.placement_strategy not in _STRATEGIES:
        raise ValueError(
            f"ScalingConfig(placement_strategy={scaling.placement_strategy!r}) must be one of {_STRATEGIES}."
        )
    if scaling.placement_strategy == "STRICT_SPREAD" and count > 1:
        raise ValueError(
            f'ScalingConfig(placement_strategy="STRICT_SPREAD") asks for {count} machines, and this runtime has one.'
        )
    others = sorted(set(scaling.resources_per_worker or {}) - {"CPU", "GPU"})
    for name, value in {
        "accelerator_type": scaling.accelerator_type,
        "label_selector": scaling.label_selector,
        "resources_per_worker": others,
    }.items():
        if value:
            warnings.warn(
                f"ScalingConfig({name}): {value} chooses among a cluster's machines, and has no effect on one.",
                stacklevel=4,
            )


def _indices(rank: int, share: float) -> tuple[int, ...]:
    """The GPUs of a rank; workers with a fraction of a GPU share one."""
    if share == 0:
        return ()
    first = math.floor(rank * share)
    return tuple(range(first, first + max(1, math.floor(share))))


def _visible_gpus() -> list[str]:
    """The names of the GPUs that the driver may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]
