"""Report the batches that workers get of columns of many types, after preprocessing, collating and converting."""

import tempfile

import numpy as np
import pandas as pd
import ray
import ray.train
import torch
from ray.data.preprocessors import Chain, Concatenator, StandardScaler
from ray.train import Checkpoint, ScalingConfig
from ray.train.torch import TorchTrainer


class AddLength:
    def __init__(self, extra):
        self.extra = extra

    def __call__(self, batch):
        batch["length"] = np.array([len(text) + self.extra for text in batch["text"]])
        return batch


typed = ray.data.from_items(
    [
        {"int": row, "float": row / 2, "bool": row % 2 == 0, "list": [row, row], "array": np.full(3, row, np.float32)}
        for row in range(10)
    ]
)
texts = ray.data.from_items([{"text": "x" * row} for row in range(8)], override_num_blocks=1)
frame = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [1, 3, 5, 7], "label": [0, 1, 1, 0]})
table = ray.data.from_pandas(frame)
datasets = {
    "typed": typed,
    "texts": texts.map_batches(AddLength, fn_constructor_args=[1], concurrency=1, batch_size=4).materialize(),
    "scaled": Chain(StandardScaler(["a", "b"]), Concatenator(["a", "b"], "features")).fit_transform(table),
    "rows": texts.filter(lambda row: len(row["text"]) > 1).map(lambda row: {"size": len(row["text"])}).materialize(),
}


def described(value):
    """What JSON can hold of a batch, with the types of its tensors and arrays."""
    if isinstance(value, torch.Tensor):
        return [str(value.dtype), str(value.device), value.tolist()]
    if isinstance(value, np.ndarray):
        return ["object" if value.dtype == object else str(value.dtype), [described(one) for one in value.tolist()]]
    if isinstance(value, dict):
        return {name: described(one) for name, one in value.items()}
    return [described(one) for one in value] if isinstance(value, (list, tuple)) else value


def train_func():
    shards = {name: ray.train.get_dataset_shard(name) for name in datasets}
    converted = {
        "int": torch.float16,
        "float": torch.float32,
        "bool": torch.int32,
        "list": None,
        "array": torch.float64,
    }
    seen = {
        "tensors": list(shards["typed"].iter_torch_batches(batch_size=3)),
        "converted": list(shards["typed"].iter_torch_batches(batch_size=3, dtypes=converted)),
        "arrays": list(shards["typed"].iter_batches(batch_size=2, drop_last=True)),
        "rows": list(shards["typed"].iter_rows()),
        "texts": list(shards["texts"].iter_batches(batch_size=3)),
        "collated": list(
            shards["texts"].iter_torch_batches(collate_fn=lambda batch: (torch.as_tensor(batch["length"]), "kept"))
        ),
        "scaled": list(shards["scaled"].iter_torch_batches(dtypes={"features": torch.float32, "label": torch.int64})),
        "sizes": list(shards["rows"].iter_torch_batches()),
    }
    gathered = [None, None]
    torch.distributed.all_gather_object(gathered, described(seen))
    with tempfile.TemporaryDirectory() as folder:
        ray.train.report({"seen": gathered}, checkpoint=Checkpoint.from_directory(folder))


TorchTrainer(train_func, scaling_config=ScalingConfig(num_workers=2), datasets=datasets).fit()
