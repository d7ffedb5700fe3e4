"""Report which rows each worker gets of datasets of many kinds, in which order, for two passes."""

import tempfile

import numpy as np
import pandas as pd
import ray
import ray.train
import torch
from ray.train import Checkpoint, DataConfig, ScalingConfig
from ray.train.torch import TorchTrainer

TRAIN = {
    "items": ray.data.from_items(list(range(33))),
    "many": ray.data.from_items([{"row": row} for row in range(450)]),
    "few_blocks": ray.data.from_items([{"row": row} for row in range(11)], override_num_blocks=3),
    "frames": ray.data.from_pandas([pd.DataFrame({"row": range(7)}), pd.DataFrame({"row": range(7, 20)})]),
    "arrays": ray.data.from_numpy(np.arange(15)),
    "shuffled": ray.data.from_items(list(range(20))).random_shuffle(seed=5).materialize(),
    "blocks": ray.data.from_items(list(range(12))).randomize_block_order(seed=5).materialize(),
    "half": ray.data.from_items(list(range(21))).train_test_split(0.3, shuffle=True, seed=2)[0],
    "one": ray.data.from_items([1]),
}


def rows(batches):
    """The rows of all batches, a list each."""
    return [next(iter(batch.values())).tolist() for batch in batches]


def train_func():
    seen = {}
    for name in TRAIN:
        shard = ray.train.get_dataset_shard(name)
        batches = shard.iter_torch_batches(batch_size=4)
        seen[name] = [rows(batches), rows(batches)]
    shard = ray.train.get_dataset_shard("items")
    seen["shuffled locally"] = rows(
        shard.iter_torch_batches(batch_size=3, local_shuffle_buffer_size=6, local_shuffle_seed=1, drop_last=True)
    )
    seen["val"] = rows(ray.train.get_dataset_shard("val").iter_torch_batches(batch_size=4))
    try:
        ray.train.get_dataset_shard("test")
    except KeyError as error:
        seen["test"] = type(error).__name__
    gathered = [None, None]
    torch.distributed.all_gather_object(gathered, seen)
    with tempfile.TemporaryDirectory() as folder:
        ray.train.report({"seen": gathered}, checkpoint=Checkpoint.from_directory(folder))


trainer = TorchTrainer(
    train_func,
    scaling_config=ScalingConfig(num_workers=2),
    datasets={**TRAIN, "val": ray.data.from_items(list(range(9)))},
    dataset_config=DataConfig(datasets_to_split=list(TRAIN)),
)
trainer.fit()
