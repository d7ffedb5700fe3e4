"""`ray.data`: what training scripts use of it, on Arrow tables in this process and its workers.

A dataset goes to the workers by `TorchTrainer(datasets={...})`, where `ray.train.get_dataset_shard(...)` finds it.
"""

from __future__ import annotations

from typing import NoReturn

try:
    import pyarrow  # noqa: F401
except ImportError as error:
    raise ImportError("Datasets need pyarrow: pip install 'migrate-trainers[data]'", name="pyarrow") from error

from train_runtime._removed import advice
from train_runtime.data._schema import Schema
from train_runtime.data._shards import to_dataset
from train_runtime.data._sources import (
    from_arrow,
    from_huggingface,
    from_items,
    from_numpy,
    from_pandas,
    from_torch,
    range,
    read_csv,
    read_json,
    read_parquet,
)
from train_runtime.data.dataset import Dataset
from train_runtime.data.iterator import DataIterator
from train_runtime.data.preprocessor import Preprocessor

__all__ = [
    "DataIterator",
    "Dataset",
    "Preprocessor",
    "Schema",
    "from_arrow",
    "from_huggingface",
    "from_items",
    "from_numpy",
    "from_pandas",
    "from_torch",
    "range",
    "read_csv",
    "read_json",
    "read_parquet",
    "to_dataset",
]


def __getattr__(name: str) -> NoReturn:
    hint = "" if name.startswith("_") else f": {advice(f'ray.data.{name}')}"
    raise AttributeError(f"module 'ray.data' has no attribute {name!r}{hint}", name=name)
