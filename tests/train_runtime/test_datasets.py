"""`datasets={...}` and `get_dataset_shard`: which rows each worker gets, in which batches, and how often anew.

What is expected here of rows and their order was seen on Ray 2.60.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch

import train_runtime
from train_runtime import Checkpoint, DataConfig, FailureConfig, RunConfig, ScalingConfig, TorchTrainer, data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Protocol

    class Shards(Protocol):
        def __call__(self, read: Callable[[Any], Any], **trainer: Any) -> list[dict[str, Any]]: ...


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shards:
    """Have two workers read their shards; gives what each one made of each dataset."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def shards(read: Callable[[Any], Any], **trainer: Any) -> list[dict[str, Any]]:
        names = list(trainer["datasets"])

        def train() -> list[dict[str, Any]]:
            mine = {name: read(train_runtime.get_dataset_shard(name)) for name in names}
            gathered: list[Any] = [None, None]
            torch.distributed.all_gather_object(gathered, mine)
            return gathered

        run_config = RunConfig(name="run", storage_path=tmp_path / "results")
        scaling_config = ScalingConfig(num_workers=2)
        result = TorchTrainer(train, scaling_config=scaling_config, run_config=run_config, **trainer).fit()
        assert not list(tmp_path.glob("train_runtime_*")), "the run's data is deleted"
        return result.return_value

    return shards


def numbers(shard: data.DataIterator, passes: int = 1) -> list[list[int]]:
    """The first column of some passes."""
    return [[next(iter(row.values())) for row in shard.iter_rows()] for _ in range(passes)]


def halves(first: list[int], second: list[int]) -> list[list[list[int]]]:
    return [[first], [second]]


DEALT = {
    # A list is as many blocks as rows (up to 200), dealt in turn; a row too many is dropped.
    "list": (list(range(9)), halves([0, 2, 4, 6], [1, 3, 5, 7])),
    "longer": (list(range(450)), None),
    # One block is cut in the middle.
    "one block": (data.from_items(list(range(5)), override_num_blocks=1), halves([0, 1], [2, 3])),
    "pandas": (pd.DataFrame({"x": range(7)}), halves([0, 1, 2], [3, 4, 5])),
    "numpy": (np.arange(4), halves([0, 1], [2, 3])),
    "two frames": (
        data.from_pandas([pd.DataFrame({"x": range(3)}), pd.DataFrame({"x": range(3, 10)})]),
        halves([0, 1, 2, 3, 4], [5, 6, 7, 8, 9]),
    ),
    # Results of functions wait for a while, in case that one of them lies on the worker's node.
    "mapped": (data.from_items(list(range(12))).map(lambda row: row), halves([0, 2, 4, 6, 8, 9], [1, 3, 5, 7, 10, 11])),
    "fewer rows than workers": ([1], halves([], [])),
    "function": (lambda: data.range(4), halves([0, 1], [2, 3])),
}


def test_rows_are_dealt_as_by_ray(shards: Shards) -> None:
    first, second = shards(numbers, datasets={name: value for name, (value, _) in DEALT.items()})
    for name, (_, expected) in DEALT.items():
        if expected is not None:
            assert [first[name], second[name]] == expected, name
    # 50 blocks of three rows, then 150 of two.
    assert first["longer"][0][:5] == [0, 1, 2, 6, 7]
    assert second["longer"][0][-4:] == [444, 445, 448, 449]


def test_only_some_datasets_are_split(shards: Shards) -> None:
    datasets = {"train": list(range(4)), "val": list(range(5))}
    first, second = shards(numbers, datasets=datasets, dataset_config=DataConfig(datasets_to_split=["train"]))
    assert (first["train"], second["train"]) == ([[0, 2]], [[1, 3]])
    assert first["val"] == second["val"] == [[0, 1, 2, 3, 4]]


def test_each_pass_is_shuffled_anew_and_the_same_for_all(shards: Shards) -> None:
    datasets = {"anew": data.range(40).random_shuffle(), "seeded": data.range(40).random_shuffle(seed=1)}
    first, second = shards(lambda shard: numbers(shard, passes=2), datasets=datasets)
    for one, other in zip(first["anew"], second["anew"], strict=True):
        assert sorted(one + other) == list(range(40)), "no row is lost, none is there twice"
    assert first["anew"][0] != first["anew"][1]
    assert first["seeded"][0] == first["seeded"][1] != sorted(first["seeded"][0])


def test_batches_of_a_shard(shards: Shards) -> None:
    def read(shard: data.DataIterator) -> Any:
        batches = shard.iter_torch_batches(batch_size=2, dtypes={"x": torch.float32, "item": torch.int64})
        return [[dict(batch.items()) for batch in batches] for _ in range(2)]

    rows = [{"x": np.array([index, 0.5]), "item": index} for index in range(6)]
    first, _ = shards(read, datasets={"train": rows})
    for batches in first["train"]:  # it can be gone through again
        assert [batch["item"].tolist() for batch in batches] == [[0, 2], [4]]
        assert batches[0]["x"].dtype == torch.float32
        assert batches[0]["x"].tolist() == [[0.0, 0.5], [2.0, 0.5]]


def test_hugging_face_and_torch_datasets(shards: Shards, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    in_memory = datasets.Dataset.from_dict({"x": range(6), "y": list("abcdef")})
    in_memory.save_to_disk(tmp_path / "saved")
    on_disk = datasets.load_from_disk(str(tmp_path / "saved"))
    first, second = shards(
        lambda shard: list(shard.iter_rows()),
        datasets={
            "memory": in_memory,
            "disk": on_disk.select([5, 4, 3, 2]),
            "torch": torch.utils.data.TensorDataset(torch.arange(2.0), torch.arange(2)),
        },
    )
    assert first["memory"] == [{"x": 0, "y": "a"}, {"x": 1, "y": "b"}, {"x": 2, "y": "c"}]
    assert second["disk"] == [{"x": 3, "y": "d"}, {"x": 2, "y": "c"}]
    assert second["torch"] == [{"item": (torch.tensor(1.0), torch.tensor(1))}]


def test_what_the_trainer_was_not_given(shards: Shards) -> None:
    def read(shard: data.DataIterator) -> list[str]:
        messages = []
        for name in ("validation", None):
            with pytest.raises(KeyError) as raised:
                train_runtime.get_dataset_shard(name)
            messages.append(str(raised.value))
        return messages

    first, _ = shards(read, datasets={"train": [1, 2]})
    assert all("through the Trainer `datasets` argument" in message for message in first["train"])


def test_a_function_that_fails_or_cannot_be_sent(shards: Shards, tmp_path: Path) -> None:
    def fail(row: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError("on purpose")

    with pytest.raises(train_runtime.WorkerGroupError, match="on purpose") as raised:
        shards(numbers, datasets={"train": data.range(4).map(fail)})
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    with open(tmp_path / "file", "w") as file, pytest.raises(TypeError, match="datasets cannot be sent"):
        shards(numbers, datasets={"train": data.range(4).map(lambda row: file.write("x"))})


def test_a_restarted_worker_group_begins_with_the_first_pass(tmp_path: Path) -> None:
    def train() -> list[list[int]]:
        shard = train_runtime.get_dataset_shard("train")
        rank = train_runtime.get_context().get_world_rank()
        if train_runtime.get_checkpoint() is None:
            numbers(shard, passes=1 + rank)  # of the second pass one worker's part is left
            with tempfile.TemporaryDirectory() as folder:
                train_runtime.report({}, checkpoint=Checkpoint.from_directory(folder))
            raise ValueError("on purpose")
        gathered: list[Any] = [None, None]
        torch.distributed.all_gather_object(gathered, numbers(shard, passes=2))
        return gathered

    result = TorchTrainer(
        train,
        datasets={"train": data.range(40).random_shuffle()},
        scaling_config=ScalingConfig(num_workers=2),
        run_config=RunConfig(storage_path=tmp_path, failure_config=FailureConfig(max_failures=1)),
    ).fit()
    first, second = result.return_value
    for one, other in zip(first, second, strict=True):
        assert sorted(one + other) == list(range(40))
