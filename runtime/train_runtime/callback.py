"""`UserCallback`: the user's own code in the driver, called as the workers report and fail."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train_runtime.checkpoint import Checkpoint
    from train_runtime.config import DataConfig, RunConfig, ScalingConfig
    from train_runtime.torch.config import TorchConfig


@dataclass(frozen=True)
class TrainRunContext:
    """The run that a callback is called for, as it was given to the trainer (Ray 2.60's fields)."""

    run_id: str = field(init=False, default_factory=lambda: uuid.uuid4().hex)
    run_config: RunConfig
    train_loop_config: dict[str, Any] | None
    scaling_config: ScalingConfig
    backend_config: TorchConfig
    dataset_config: DataConfig

    def get_run_config(self) -> RunConfig:
        """The run's configuration."""
        return self.run_config


class UserCallback:
    """Base of what `RunConfig(callbacks=[...])` takes (`ray.train.UserCallback`).

    The methods run in the driver, in the order of the list, once for each report of all workers and once for each
    failure, before the workers are started again. An exception in one of them ends the run with a `ControllerError`.
    """

    def after_report(
        self, run_context: TrainRunContext, metrics: list[dict[str, Any]], checkpoint: Checkpoint | None
    ) -> None:
        """All workers have reported: `metrics` by rank, and the stored checkpoint if one was reported."""

    def after_exception(self, run_context: TrainRunContext, worker_exceptions: dict[int, Exception]) -> None:
        """Workers have failed: their exceptions by rank."""
