"""The functions of `ray.train.torch` that a train function calls; torch is imported when they are."""

from __future__ import annotations

import logging
import os
import random
from typing import TYPE_CHECKING, Any, NoReturn

from train_runtime import _session
from train_runtime.context import get_context

if TYPE_CHECKING:
    import torch
    from torch.utils.data import DataLoader

logger = logging.getLogger(__name__)


def get_device() -> torch.device:
    """This worker's device; the first one if it has several GPUs (Ray 2.40 and later).

    Raises:
        RuntimeError: outside a worker.
    """
    return get_devices()[0]


def get_devices() -> list[torch.device]:
    """This worker's devices: its GPUs, or the CPU.

    Raises:
        RuntimeError: outside a worker.
    """
    import torch

    indices = _session.current("get_devices").worker.device_indices
    return [torch.device("cuda", index) for index in indices] or [torch.device("cpu")]


def prepare_model(
    model: torch.nn.Module,
    move_to_device: bool | torch.device = True,
    parallel_strategy: str | None = "ddp",
    parallel_strategy_kwargs: dict[str, Any] | None = None,
) -> torch.nn.Module:
    """Move the model to this worker's device and, with more than one worker, wrap it in DDP or FSDP.

    Raises:
        ValueError: for another strategy than "ddp", "fsdp" and None.
        RuntimeError: for "fsdp" without GPUs, and outside a worker.
    """
    import torch

    if parallel_strategy not in ("ddp", "fsdp", None):
        raise ValueError(f'parallel_strategy must be "ddp", "fsdp" or None, not {parallel_strategy!r}.')
    device = move_to_device if isinstance(move_to_device, torch.device) else get_device()
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    if move_to_device:
        model = model.to(device)
    if parallel_strategy is None or get_context().get_world_size() == 1:
        return model

    options = parallel_strategy_kwargs or {}
    if parallel_strategy == "ddp":
        placement = {"device_ids": [device], "output_device": device} if on_gpu else {}
        return torch.nn.parallel.DistributedDataParallel(model, **{**placement, **options})
    if not on_gpu:
        raise RuntimeError('prepare_model(parallel_strategy="fsdp") needs GPUs: set ScalingConfig(use_gpu=True).')
    from torch.distributed.fsdp import FullyShardedDataParallel

    return FullyShardedDataParallel(model, **options)


def prepare_data_loader(
    data_loader: DataLoader[Any],
    add_dist_sampler: bool = True,
    move_to_device: bool = True,
    auto_transfer: bool = True,
) -> DataLoader[Any]:
    """Give each worker its part of the data, and its batches on its device.

    With more than one worker the loader is rebuilt around a `DistributedSampler`, unless it has one or its dataset is
    iterable; the sampler shuffles unless the loader's own was sequential. The batch size stays what it is, per worker.
    Call `loader.sampler.set_epoch(epoch)` before each epoch when shuffling. Of the loader's options
    `prefetch_factor` and `persistent_workers` are not taken over, as on Ray.

    With `move_to_device`, tensors in tuples, lists and mappings are moved (`auto_transfer`: from pinned memory without
    waiting, on a GPU), and mappings come out as plain dicts.

    Raises:
        RuntimeError: outside a worker.
    """
    from torch.utils.data import DistributedSampler, IterableDataset

    worker = _session.current("prepare_data_loader").worker
    if (
        add_dist_sampler
        and worker.world_size > 1
        and not isinstance(data_loader.sampler, DistributedSampler)
        and not isinstance(data_loader.dataset, IterableDataset)
    ):
        data_loader = _with_distributed_sampler(data_loader, warn=worker.rank == 0)
    if move_to_device:
        from train_runtime.torch._device_loader import DeviceLoader

        return DeviceLoader(data_loader, get_device(), auto_transfer)
    return data_loader


def _with_distributed_sampler(loader: DataLoader[Any], *, warn: bool) -> DataLoader[Any]:
    from torch.utils.data import DataLoader, DistributedSampler, RandomSampler, SequentialSampler

    if warn and not isinstance(loader.sampler, (SequentialSampler, RandomSampler)):
        logger.warning(
            "prepare_data_loader replaces the loader's %s by a DistributedSampler; "
            "pass add_dist_sampler=False to keep it.",
            type(loader.sampler).__name__,
        )
    shuffle = not isinstance(loader.sampler, SequentialSampler)
    return DataLoader(
        loader.dataset,
        batch_size=loader.batch_size,
        sampler=DistributedSampler(loader.dataset, shuffle=shuffle),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        drop_last=loader.drop_last,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        generator=loader.generator,
    )


def enable_reproducibility(seed: int = 0) -> None:
    """Seed torch, Python and numpy, and have torch use deterministic algorithms, as far as it has them.

    Torch seeds the workers of data loaders from its own seed; their numpy and `random` follow from it.
    """
    import numpy
    import torch

    torch.manual_seed(seed)
    random.seed(seed)
    numpy.random.seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.use_deterministic_algorithms(True)
    # cuBLAS is deterministic only with a workspace of fixed size.
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"


def accelerate(amp: bool = False) -> NoReturn:
    """Gone since Ray's Train V2.

    Raises:
        DeprecationWarning: always, as Ray 2.60 does.
    """
    raise DeprecationWarning(
        "`ray.train.torch.accelerate` is no longer part of Ray Train: leave the call out, and for mixed precision "
        "compute the loss under `torch.autocast`."
    )


def prepare_optimizer(optimizer: torch.optim.Optimizer) -> NoReturn:
    """Gone since Ray's Train V2.

    Raises:
        DeprecationWarning: always, as Ray 2.60 does.
    """
    raise DeprecationWarning(
        "`ray.train.torch.prepare_optimizer` is no longer part of Ray Train: use the optimizer as it is."
    )


def backward(tensor: torch.Tensor) -> NoReturn:
    """Gone since Ray's Train V2.

    Raises:
        DeprecationWarning: always, as Ray 2.60 does.
    """
    raise DeprecationWarning(
        "`ray.train.torch.backward` is no longer part of Ray Train: call `loss.backward()`, for mixed precision "
        "through `torch.amp.GradScaler`."
    )
