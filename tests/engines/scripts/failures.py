"""Report what a restarted group sees, and what `fit()` raises when workers fail too often, each in its own way."""

import os
import tempfile
from pathlib import Path

import ray.train
import ray.train.torch
from ray.train import Checkpoint, FailureConfig, RunConfig, ScalingConfig, TrainingFailedError, WorkerGroupError
from ray.train.torch import TorchTrainer

SCALING = ScalingConfig(num_workers=2)
FOLDER = tempfile.mkdtemp()


def report(metrics, **files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text)
        ray.train.report(metrics, checkpoint=Checkpoint.from_directory(folder))


def restarted():
    rank = ray.train.get_context().get_world_rank()
    checkpoint = ray.train.get_checkpoint()
    start = 0
    if checkpoint:
        with checkpoint.as_directory() as folder:
            start = int(Path(folder, "epoch").read_text()) + 1
    for epoch in range(start, 4):
        if rank == 1 and epoch == start + 1 and epoch < 3:
            raise ValueError(f"at epoch {epoch}")
        report({"epoch": epoch, "start": start}, epoch=str(epoch))


# Two are enough, unless Ray hears of a failure before the checkpoint ahead of it, and starts from an earlier one.
TorchTrainer(
    restarted, scaling_config=SCALING, run_config=RunConfig(failure_config=FailureConfig(max_failures=10))
).fit()


class OwnError(Exception):
    pass


def fails(config):
    rank = ray.train.get_context().get_world_rank()
    with open(os.path.join(FOLDER, f"attempts_{config['way']}_{rank}"), "a") as file:
        file.write("x")
    if rank == 1:
        if config["way"] == "own":
            raise OwnError("own")
        report_of_nothing = {}
        report_of_nothing["missing"]
    ray.train.report({})


seen = {}
for way, failures in [("own", 0), ("key", 1)]:
    try:
        TorchTrainer(
            fails,
            train_loop_config={"way": way},
            scaling_config=SCALING,
            run_config=RunConfig(failure_config=FailureConfig(max_failures=failures)),
        ).fit()
    except WorkerGroupError as error:
        seen[way] = {
            "ranks": sorted(error.worker_failures),
            "first line": str(error).splitlines()[0],
            "names it": [part in str(error) for part in ("OwnError", "KeyError", "missing", "fails")],
            "is": isinstance(error, TrainingFailedError),
            "attempts": Path(FOLDER, f"attempts_{way}_1").read_text(),
        }

TorchTrainer(lambda: report({"seen": seen}), scaling_config=ScalingConfig(num_workers=1)).fit()
