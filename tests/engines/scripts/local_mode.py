"""A train function in the driver's own process, with `num_workers=0`."""

import os
import tempfile

import ray.train.torch
from ray.train import Checkpoint, ScalingConfig
from ray.train.collective import barrier, broadcast_from_rank_zero
from ray.train.torch import TorchTrainer

DRIVER = os.getpid()


def train_func(config):
    context = ray.train.get_context()
    barrier()
    before = ray.train.get_checkpoint()
    ray.train.report({"first": 1})
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint.from_directory(folder)
        metrics = {
            "here": os.getpid() == DRIVER,
            "ranks": [context.get_world_rank(), context.get_world_size(), context.get_local_rank()],
            "more": [context.get_local_world_size(), context.get_node_rank()],
            "config": config,
            "before": repr(before),
            "data": broadcast_from_rank_zero("data"),
            "device": str(ray.train.torch.get_device()),
        }
        try:
            ray.train.get_dataset_shard("train")
        except AssertionError as error:
            metrics["shard"] = str(error)
        ray.train.report({"second": 2}, checkpoint=checkpoint)
        metrics["kept"] = ray.train.get_checkpoint() is checkpoint
    ray.train.report(metrics)
    return 7


result = TorchTrainer(train_func, train_loop_config={"a": 1}, scaling_config=ScalingConfig(num_workers=0)).fit()
assert result.return_value == 7
assert result.path is None


def failing():
    raise KeyError("raised as it is")


try:
    TorchTrainer(failing, scaling_config=ScalingConfig(num_workers=0)).fit()
except KeyError as error:
    print(error)
