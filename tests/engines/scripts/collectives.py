"""Workers that meet in `ray.train.collective`, and report what they got there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from ray.train import (
    Checkpoint,
    ControllerError,
    NCCLHangError,
    PreemptionError,
    ScalingConfig,
    TrainingFailedError,
    WorkerGroupError,
    get_context,
    report,
)
from ray.train.collective import barrier, broadcast_from_rank_zero
from ray.train.torch import TorchTrainer


def train_func(config: dict[str, Any]) -> None:
    rank = get_context().get_world_rank()
    folder = broadcast_from_rank_zero(os.getcwd() if rank == 0 else None)
    values = [
        broadcast_from_rank_zero({"rank": rank, "names": ("a", "b")}),
        broadcast_from_rank_zero(None),
        broadcast_from_rank_zero("x" * 5000)[:2],
    ]
    Path(folder, f"rank_{rank}").write_text(repr(values))
    returned = barrier()
    # A barrier meets a broadcast: they are the same meeting.
    if rank == 0:
        mixed = broadcast_from_rank_zero("from rank 0")
    else:
        barrier()
        mixed = None
    seen = [Path(folder, f"rank_{other}").read_text() for other in range(2)]
    with tempfile.TemporaryDirectory() as empty:
        report(
            {"values": repr(values), "seen": repr(seen), "returned": repr(returned), "mixed": repr(mixed)},
            checkpoint=Checkpoint.from_directory(empty),
        )


TorchTrainer(train_func, scaling_config=ScalingConfig(num_workers=2)).fit()

try:
    barrier()
except RuntimeError as error:
    print(type(error), [cls.__name__ for cls in (ControllerError, NCCLHangError, PreemptionError)])
    assert issubclass(NCCLHangError, WorkerGroupError)
    assert issubclass(ControllerError, TrainingFailedError)
else:
    raise AssertionError("outside of a worker there is nobody to wait for")
