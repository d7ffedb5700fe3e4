"""Report what callbacks were called with: all ranks' metrics, checkpoints and exceptions, over a restart.

And which variables of the program's and of the run's environment the workers have.
"""

import json
import os
import tempfile
from pathlib import Path

import ray
import ray.train
from ray.train import Checkpoint, FailureConfig, RunConfig, ScalingConfig, UserCallback
from ray.train.torch import TorchTrainer

CALLS = Path(tempfile.mkdtemp(), "calls.jsonl")


class Recorder(UserCallback):
    def __init__(self, name):
        self.name = name

    def note(self, *call):
        with CALLS.open("a") as file:
            file.write(json.dumps([self.name, *call]) + "\n")

    def after_report(self, run_context, metrics, checkpoint):
        files = sorted(path.name for path in Path(checkpoint.path).iterdir()) if checkpoint else None
        self.note(run_context.get_run_config().name, metrics, files)

    def after_exception(self, run_context, worker_exceptions):
        failed = {rank: [type(error).__name__, str(error)] for rank, error in worker_exceptions.items()}
        self.note(run_context.train_loop_config, run_context.scaling_config.num_workers, failed)


def report(metrics, rank):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"of_rank_{rank}").touch()
        ray.train.report(metrics, checkpoint=Checkpoint.from_directory(folder))


def train_func(config):
    rank = ray.train.get_context().get_world_rank()
    is_first = ray.train.get_checkpoint() is None
    ray.train.report({"rank": rank, "n": 1})
    report({"rank": rank, "n": 2}, rank)
    if is_first and rank == 1:
        ray.train.get_all_reported_checkpoints()  # Ray may hear of a failure before the checkpoint ahead of it
        raise KeyError(config["message"])


def tell():
    variables = {name: os.environ[name] for name in ("OF_PROGRAM", "OF_BOTH", "OF_RUN")}
    report({"calls": [json.loads(line) for line in CALLS.read_text().splitlines()], **variables}, 0)


ray.init(runtime_env={"env_vars": {"OF_PROGRAM": "program", "OF_BOTH": "program"}})
TorchTrainer(
    train_func,
    train_loop_config={"message": "no"},
    scaling_config=ScalingConfig(num_workers=2),
    run_config=RunConfig(
        name="called",
        callbacks=[Recorder("a"), Recorder("b")],
        failure_config=FailureConfig(max_failures=1),
    ),
).fit()
TorchTrainer(tell, run_config=RunConfig(worker_runtime_env={"env_vars": {"OF_BOTH": "run", "OF_RUN": "run"}})).fit()
