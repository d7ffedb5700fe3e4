"""The classes of `ray.train.lightning`, each completed by Lightning's own class when it is instantiated."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train_runtime.checkpoint import Checkpoint
from train_runtime.context import get_context, report
from train_runtime.lightning._script_package import FollowsScript
from train_runtime.torch import get_device

if TYPE_CHECKING:
    import torch


class _RayStrategy(FollowsScript):
    """What the three strategies share: the device is the worker's, and samplers are split between the workers.

    The process group is up already, so Lightning's `process_group_backend` and `timeout` have no effect: see
    `train_runtime.torch.TorchConfig`.
    """

    if TYPE_CHECKING:
        world_size: int
        global_rank: int

    @property
    def root_device(self) -> torch.device:
        """This worker's device."""
        return get_device()

    @property
    def distributed_sampler_kwargs(self) -> dict[str, Any]:
        """One part of the data a worker."""
        return {"num_replicas": self.world_size, "rank": self.global_rank}


class RayDDPStrategy(_RayStrategy):
    """Lightning's `DDPStrategy`, with its arguments, on this runtime's workers."""

    lightning_base = "strategies:DDPStrategy"


class RayFSDPStrategy(_RayStrategy):
    """Lightning's `FSDPStrategy`, with its arguments, on this runtime's workers."""

    lightning_base = "strategies:FSDPStrategy"


class RayDeepSpeedStrategy(_RayStrategy):
    """Lightning's `DeepSpeedStrategy`, with its arguments, on this runtime's workers."""

    lightning_base = "strategies:DeepSpeedStrategy"


class RayLightningEnvironment(FollowsScript):
    """Tells Lightning the worker's ranks; the processes exist already."""

    lightning_base = "plugins.environments:LightningEnvironment"

    def world_size(self) -> int:
        """The number of workers."""
        return get_context().get_world_size()

    def global_rank(self) -> int:
        """This worker's rank."""
        return get_context().get_world_rank()

    def local_rank(self) -> int:
        """This worker's rank on its machine."""
        return get_context().get_local_rank()

    def node_rank(self) -> int:
        """The machine's rank."""
        return get_context().get_node_rank()

    def set_world_size(self, size: int) -> None:
        """Ignored: the run decides."""

    def set_global_rank(self, rank: int) -> None:
        """Ignored: the run decides."""

    def teardown(self) -> None:
        """Nothing: the worker leaves the process group after the train function."""


class RayTrainReportCallback(FollowsScript):
    """Reports at the end of each training epoch: all of `trainer.callback_metrics`, `epoch`, `step`, and a checkpoint.

    The checkpoint holds one file, `checkpoint.ckpt`, with the trainer's full state. As on Ray, the report is made
    before the module's own `on_train_epoch_end`, so what that logs arrives one report later. Its arguments are handed
    to `report`.
    """

    lightning_base = "callbacks:Callback"
    CHECKPOINT_NAME = "checkpoint.ckpt"
    # For subclasses that do not call `__init__`, too.
    checkpoint_upload_mode: Any = None
    validation: Any = False

    def __init__(self, checkpoint_upload_mode: Any = None, validation: Any = False) -> None:
        super().__init__()
        self.checkpoint_upload_mode = checkpoint_upload_mode
        self.validation = validation

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Save, then report; every rank takes part."""
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
        metrics["epoch"] = trainer.current_epoch
        metrics["step"] = trainer.global_step
        given = {"checkpoint_upload_mode": self.checkpoint_upload_mode, "validation": self.validation}
        directory = tempfile.mkdtemp(prefix="lightning_checkpoint_")
        try:
            trainer.save_checkpoint(Path(directory, self.CHECKPOINT_NAME), weights_only=False)
            options = {name: value for name, value in given.items() if value}
            report(metrics, checkpoint=Checkpoint.from_directory(directory), **options)
        finally:
            # An upload behind the training deletes the files itself.
            if getattr(self.checkpoint_upload_mode, "name", None) != "ASYNC":
                shutil.rmtree(directory, ignore_errors=True)
