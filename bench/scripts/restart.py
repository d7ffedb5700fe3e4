"""How long after a worker's death the train function runs again."""

import json
import os
import signal
import tempfile
import time

import torch
from ray.train import Checkpoint, FailureConfig, RunConfig, ScalingConfig, get_context, report
from ray.train.torch import TorchTrainer

MARKER = os.path.abspath("killed_at")


def train():
    if os.path.exists(MARKER):
        torch.distributed.barrier()
        if get_context().get_world_rank() == 0:
            print("RESULT " + json.dumps({"seconds": time.time() - os.stat(MARKER).st_mtime}), flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        report({"step": 1}, checkpoint=Checkpoint.from_directory(folder))
    if get_context().get_world_rank() == 1:
        open(MARKER, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    torch.distributed.barrier()


run_config = RunConfig(storage_path=os.path.abspath("results"), failure_config=FailureConfig(max_failures=1))
TorchTrainer(train, scaling_config=ScalingConfig(num_workers=2), run_config=run_config).fit()
