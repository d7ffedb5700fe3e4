"""How many reports a second, and how long a report with a checkpoint of 100 MB takes beside a copy of it."""

import json
import os
import shutil
import statistics
import tempfile
import time

import torch
from ray.train import Checkpoint, CheckpointConfig, RunConfig, ScalingConfig, get_context, report
from ray.train.torch import TorchTrainer

STORAGE = os.path.abspath("results")
REPORTS = int(os.environ["BENCH_REPORTS"])
CHECKPOINTS = int(os.environ["BENCH_CHECKPOINTS"])
SIZE = 100_000_000


def settle():
    """Wait until all workers are here and nothing is written to the disk any more."""
    os.sync()
    torch.distributed.barrier()


def train():
    report({"loss": 1.0})
    start = time.perf_counter()
    for step in range(REPORTS):
        report({"loss": 1 / (step + 1), "step": step})
    rate = REPORTS / (time.perf_counter() - start)

    rank = get_context().get_world_rank()
    reported, copied = [], []
    with tempfile.TemporaryDirectory(dir=os.path.dirname(STORAGE)) as folder:
        source = os.path.join(folder, "checkpoint")
        os.mkdir(source)
        with open(os.path.join(source, "model.pt"), "wb") as file:
            file.write(os.urandom(SIZE))
        for number in range(CHECKPOINTS):
            settle()
            start = time.perf_counter()
            report({"loss": 0.0}, checkpoint=Checkpoint.from_directory(source) if rank == 0 else None)
            reported.append(time.perf_counter() - start)
            settle()
            if rank == 0:
                start = time.perf_counter()
                shutil.copytree(source, os.path.join(STORAGE, f"copy_{number}"))
                copied.append(time.perf_counter() - start)
                shutil.rmtree(os.path.join(STORAGE, f"copy_{number}"))
    if rank == 0:
        medians = {"rate": rate, "checkpoint": statistics.median(reported), "copy": statistics.median(copied)}
        print("RESULT " + json.dumps(medians), flush=True)


# One checkpoint is kept: new memory for ever more files would be what is measured.
run_config = RunConfig(storage_path=STORAGE, checkpoint_config=CheckpointConfig(num_to_keep=1))
TorchTrainer(train, scaling_config=ScalingConfig(num_workers=2), run_config=run_config).fit()
