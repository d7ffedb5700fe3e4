"""How the trainer's datasets reach the workers: through files that the workers map into memory.

The driver writes data that is in its memory to Arrow files, once a run; a dataset of the `datasets` library stays in
the files that it has. Where functions or shuffles come in between, each pass over a dataset may give something else,
yet the same to all workers that share it: the first worker that begins a pass computes it for all, into a file of which
each worker has its own link.
"""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import pyarrow as pa

from train_runtime import _pickling
from train_runtime.data import _sources
from train_runtime.data._blocks import Block, deal
from train_runtime.data._columns import is_frame
from train_runtime.data._plan import Plan, read, write
from train_runtime.data.dataset import Dataset
from train_runtime.data.iterator import DataIterator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from train_runtime._messages import DatasetFolder

_PLANS = "plans.pkl"


def to_dataset(name: str, value: Any) -> Dataset:
    """The dataset that a value of `datasets={...}` stands for.

    Raises:
        ValueError: if it is nothing that a dataset can be made of.
    """
    if isinstance(value, Dataset):
        return value
    if isinstance(value, pa.Table):
        return _sources.from_arrow(value)
    if isinstance(value, np.ndarray):
        return _sources.from_numpy(value)
    if isinstance(value, (list, tuple)):
        return _sources.from_items(value)
    if is_frame(value):
        return _sources.from_pandas(value)
    if _is_instance(value, "datasets", "Dataset") or _is_instance(value, "datasets", "IterableDataset"):
        return _sources.from_huggingface(value)
    if _is_instance(value, "torch.utils.data", "Dataset"):
        return _sources.from_torch(value)
    raise ValueError(
        f"`datasets[{name!r}]` is of type {type(value)}: it must be a dataset of `ray.data` or of `datasets`, a pandas "
        "DataFrame, an Arrow table, a torch dataset, a list, or a function that returns one of these."
    )


def _is_instance(value: object, module: str, name: str) -> bool:
    """Whether it is one, without importing the module: who has such a value has imported it."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))


def store(datasets: Mapping[str, Any], folder: Path) -> None:
    """Write the datasets to the folder; a function is called for its dataset.

    Raises:
        TypeError: for a dataset with functions that cannot be pickled; it says what in them cannot.
    """
    plans = {
        name: to_dataset(name, value() if callable(value) else value)._plan.stored_in(folder)
        for name, value in datasets.items()
    }
    pickled = _pickling.dumps(
        plans,
        "The datasets cannot be sent to the workers",
        "A function that they are mapped with holds it: make it there instead.",
        datasets=plans,
    )
    (folder / _PLANS).write_bytes(pickled)


class Shards:
    """A worker's parts of the datasets."""

    def __init__(self, stored: DatasetFolder, rank: int, world_size: int) -> None:
        plans: dict[str, Plan] = cloudpickle.loads(Path(stored.path, _PLANS).read_bytes())
        self._shards = {
            name: DataIterator(
                _SharedPasses(plan, Path(stored.passes, str(index)), rank, world_size).next
                if stored.to_split is None or name in stored.to_split
                else plan.blocks
            )
            for index, (name, plan) in enumerate(plans.items())
        }

    def __contains__(self, name: object) -> bool:
        return name in self._shards

    def __getitem__(self, name: str) -> DataIterator:
        return self._shards[name]


class _SharedPasses:
    """The passes over a dataset that is split between the workers."""

    def __init__(self, plan: Plan, folder: Path, rank: int, world_size: int) -> None:
        self._plan = plan
        self._folder = folder
        self._rank = rank
        self._world_size = world_size
        self._begun = 0

    def next(self) -> list[Block]:
        """This worker's blocks of the next pass."""
        blocks = self._plan.blocks() if self._plan.is_stored else self._computed()
        return deal(blocks, self._world_size)[self._rank]

    def _computed(self) -> list[Block]:
        self._folder.mkdir(parents=True, exist_ok=True)
        number, self._begun = self._begun, self._begun + 1
        mine = self._link(number, self._rank)
        with open(self._folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
            if not mine.exists():
                self._compute(self._link(number, rank) for rank in range(self._world_size))
            blocks = read(mine)
            mine.unlink()  # the memory stays mapped
        return blocks

    def _link(self, number: int, rank: int) -> Path:
        return self._folder / f"{number}.{rank}"

    def _compute(self, links: Iterable[Path]) -> None:
        blocks = self._plan.blocks()
        descriptor, name = tempfile.mkstemp(dir=self._folder)
        os.close(descriptor)
        write(blocks, Path(name))
        for link in links:
            os.link(name, link)
        os.unlink(name)
