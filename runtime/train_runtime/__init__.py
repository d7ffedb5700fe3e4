"""Ray Train's API on local worker processes: `from train_runtime import ...` for `from ray.train import ...`.

Importing this package imports neither torch nor any training framework. In a script that imports it itself, it starts a
process that does so while the script goes on, and from which `fit()` makes its workers (`_template`). The submodules
mirror Ray's: `train_runtime.torch`, `train_runtime.lightning`, `train_runtime.huggingface.transformers`.
"""

from __future__ import annotations

from typing import NoReturn

from train_runtime import _template
from train_runtime._removed import refuse
from train_runtime.callback import UserCallback
from train_runtime.checkpoint import Checkpoint
from train_runtime.config import (
    TRAIN_DATASET_KEY,
    CheckpointConfig,
    DataConfig,
    FailureConfig,
    LoggingConfig,
    RunConfig,
    ScalingConfig,
    SyncConfig,
)
from train_runtime.context import (
    TrainContext,
    get_all_reported_checkpoints,
    get_checkpoint,
    get_context,
    get_dataset_shard,
    report,
)
from train_runtime.errors import (
    ControllerError,
    NCCLHangError,
    PreemptionError,
    TrainingFailedError,
    WorkerDiedError,
    WorkerGroupError,
    WorkerHungError,
)
from train_runtime.preemption import PreemptionInfo, get_preemption_info
from train_runtime.report_config import (
    CheckpointConsistencyMode,
    CheckpointUploadMode,
    ReportedCheckpoint,
    ReportedCheckpointStatus,
)
from train_runtime.result import Result
from train_runtime.torch.config import BackendConfig, TorchConfig
from train_runtime.torch.trainer import TorchTrainer

__all__ = [
    "TRAIN_DATASET_KEY",
    "BackendConfig",
    "Checkpoint",
    "CheckpointConfig",
    "CheckpointConsistencyMode",
    "CheckpointUploadMode",
    "ControllerError",
    "DataConfig",
    "FailureConfig",
    "LoggingConfig",
    "NCCLHangError",
    "PreemptionError",
    "PreemptionInfo",
    "ReportedCheckpoint",
    "ReportedCheckpointStatus",
    "Result",
    "RunConfig",
    "ScalingConfig",
    "SyncConfig",
    "TorchConfig",
    "TorchTrainer",
    "TrainContext",
    "TrainingFailedError",
    "UserCallback",
    "WorkerDiedError",
    "WorkerGroupError",
    "WorkerHungError",
    "get_all_reported_checkpoints",
    "get_checkpoint",
    "get_context",
    "get_dataset_shard",
    "get_preemption_info",
    "report",
]


def __getattr__(name: str) -> NoReturn:
    refuse(__name__, name)


_template.start_early()
