"""`ray.data` without Ray: what comes in and what is made of it. What is expected was seen on Ray 2.60."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from train_runtime import data
from train_runtime.data.collate_fn import ArrowBatchCollateFn, PandasBatchCollateFn
from train_runtime.data.preprocessor import Preprocessor, PreprocessorNotFittedException
from train_runtime.data.preprocessors import Chain, Concatenator, MinMaxScaler, StandardScaler

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Rows = list[dict[str, Any]]


def ids(dataset: data.Dataset) -> list[Any]:
    return [next(iter(row.values())) for row in dataset.take_all()]


def six() -> data.Dataset:
    return data.range(6, override_num_blocks=2)


@pytest.mark.parametrize(
    ("make", "rows"),
    [
        (lambda: data.from_items([1, 2]), [{"item": 1}, {"item": 2}]),
        (lambda: data.from_items([1.5, 2]), [{"item": 1.5}, {"item": 2}]),
        (lambda: data.from_items([{"a": 1}, {"b": 2}]), [{"a": 1}, {"b": 2}]),
        (lambda: data.from_items([(1, 2)]), [{"item": [1, 2]}]),
        (lambda: data.from_items([]), []),
        (lambda: data.from_items([{"x": np.float32(1.5), "y": None, "z": b"b"}]), [{"x": 1.5, "y": None, "z": b"b"}]),
        (lambda: data.range(2), [{"id": 0}, {"id": 1}]),
        (lambda: data.from_numpy([np.arange(2), np.arange(1)]), [{"data": 0}, {"data": 1}, {"data": 0}]),
        (lambda: data.from_arrow(pa.table({"x": [1]})), [{"x": 1}]),
        (
            lambda: data.from_pandas(pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[7, 8])),
            [{"a": 1, "b": "x"}, {"a": 2, "b": None}],
        ),
        (lambda: six().map(lambda row: {"x": row["id"] * 2}).limit(2), [{"x": 0}, {"x": 2}]),
        (lambda: six().flat_map(lambda row: [row] * row["id"]).limit(3), [{"id": 1}, {"id": 2}, {"id": 2}]),
        (lambda: six().filter(lambda row: row["id"] > 3), [{"id": 4}, {"id": 5}]),
        (lambda: six().limit(1).add_column("x", lambda frame: frame["id"] + 1), [{"id": 0, "x": 1}]),
        (lambda: six().limit(1).rename_columns({"id": "x"}), [{"x": 0}]),
        (lambda: data.from_items([{"a": 1, "b": 2}]).drop_columns(["a"]), [{"b": 2}]),
        (lambda: data.from_items([{"a": 1, "b": 2}]).select_columns("b"), [{"b": 2}]),
        (lambda: six().sort("id", descending=True).limit(1), [{"id": 5}]),
        (lambda: data.range(1).union(data.range(1)), [{"id": 0}, {"id": 0}]),
    ],
)
def test_rows(make: Callable[[], data.Dataset], rows: Rows) -> None:
    assert make().take_all() == rows


@pytest.mark.parametrize(
    ("dataset", "order"),
    [
        (data.from_items(list(range(12))).randomize_block_order(seed=3), [11, 7, 2, 10, 0, 1, 4, 6, 9, 5, 3, 8]),
        (data.range(12).random_shuffle(seed=3), [6, 11, 4, 1, 10, 7, 0, 5, 2, 9, 3, 8]),
        (data.range(12, override_num_blocks=3).random_shuffle(seed=3), [6, 9, 8, 2, 0, 7, 5, 11, 10, 1, 3, 4]),
        (data.range(10, override_num_blocks=2).repartition(3, shuffle=True), [0, 1, 5, 6, 2, 3, 7, 8, 4, 9]),
        (data.from_items(list(range(10))).train_test_split(0.3, shuffle=True, seed=1)[1], [4, 2, 8]),
    ],
)
def test_random_orders_are_those_of_ray(dataset: data.Dataset, order: list[int]) -> None:
    assert ids(dataset) == order
    assert ids(dataset) == order


@pytest.mark.parametrize(
    ("dataset", "options", "batches"),
    [
        (
            data.range(20),
            {"local_shuffle_buffer_size": 8, "local_shuffle_seed": 1},
            [[1, 10, 18, 16], [7, 11, 12, 17], [15, 2, 3, 4], [5, 8, 0, 9], [14, 13, 6, 19]],
        ),
        (
            data.from_items(list(range(20))),
            {"local_shuffle_buffer_size": 8, "local_shuffle_seed": 1},
            [[1, 12, 7, 10], [14, 4, 5, 8], [0, 9, 2, 13], [11, 6, 3, 15], [17, 16, 19, 18]],
        ),
        (
            data.from_items(list(range(20))),
            {"local_shuffle_buffer_size": 2, "local_shuffle_seed": 7},
            [[8, 0, 7, 1], [3, 6, 2, 4], [11, 5, 10, 9], [16, 14, 12, 15], [19, 13, 18, 17]],
        ),
        (data.range(6), {}, [[0, 1, 2, 3], [4, 5]]),
        (data.range(6), {"drop_last": True}, [[0, 1, 2, 3]]),
        (six(), {"batch_size": None}, [[0, 1, 2], [3, 4, 5]]),
    ],
)
def test_batches(dataset: data.Dataset, options: dict[str, Any], batches: list[list[int]]) -> None:
    iterable = dataset.iter_torch_batches(**{"batch_size": 4, **options})
    for _ in range(2):
        assert [next(iter(batch.values())).tolist() for batch in iterable] == batches


@pytest.mark.parametrize(
    ("rows", "dtype", "value"),
    [
        ([1, 2], torch.int64, [1, 2]),
        ([1.0, 2.0], torch.float64, [1.0, 2.0]),
        ([True, False], torch.bool, [True, False]),
        ([[1, 2], [3, 4]], torch.int64, [[1, 2], [3, 4]]),
        ([np.float32([1, 2]), np.float32([3, 4])], torch.float32, [[1, 2], [3, 4]]),
        ([np.eye(2) > 0, np.eye(2) > 0], torch.bool, [[[True, False], [False, True]]] * 2),
        ([torch.ones(1), torch.zeros(1)], torch.float32, [[1], [0]]),
    ],
)
@pytest.mark.parametrize("blocks", [1, 2])
def test_tensors(rows: list[Any], dtype: torch.dtype, value: list[Any], blocks: int) -> None:
    dataset = data.from_items([{"x": row} for row in rows], override_num_blocks=blocks)
    (batch,) = dataset.iter_torch_batches()
    assert (batch["x"].dtype, batch["x"].tolist()) == (dtype, value)
    (batch,) = dataset.map(lambda row: row).iter_torch_batches(dtypes=torch.float16)
    assert batch["x"].dtype == torch.float16
    (batch,) = dataset.iter_torch_batches(device="meta")
    assert batch["x"].is_meta


@pytest.mark.parametrize("value", [["a", "b"], [[1], [1, 2]], [np.ones(1), np.ones(2)]])
def test_what_is_no_tensor(value: list[Any]) -> None:
    dataset = data.from_items([{"x": one} for one in value])
    (batch,) = dataset.iter_batches()
    assert [np.asarray(one).tolist() for one in batch["x"]] == [np.asarray(one).tolist() for one in value]
    with pytest.raises((RuntimeError, TypeError), match=r"tensor|numpy\.str_"):
        list(dataset.iter_torch_batches())


def test_collate_functions() -> None:
    class OfTable(ArrowBatchCollateFn):
        def __call__(self, batch: pa.Table) -> torch.Tensor:
            return torch.as_tensor(batch["id"].to_numpy() + 5)

    class OfFrame(PandasBatchCollateFn):
        def __call__(self, batch: pd.DataFrame) -> str:
            return type(batch).__name__

    two = data.range(2)
    assert list(two.iter_torch_batches(collate_fn=lambda batch: (batch["id"].tolist(), 3))) == [([0, 1], 3)]
    assert [batch.tolist() for batch in two.iter_torch_batches(collate_fn=OfTable())] == [[5, 6]]
    assert list(two.iter_torch_batches(collate_fn=OfFrame())) == ["DataFrame"]
    (batch,) = two.iter_torch_batches(collate_fn=lambda batch: [torch.as_tensor(batch["id"])], device="meta")
    assert batch[0].is_meta


def times(batch: Any, factor: int, plus: int = 0) -> dict[str, Any]:
    return {"id": batch["id"] * factor + plus}


class Adder:
    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"id": batch["id"] + self.number}


@pytest.mark.parametrize(
    ("function", "options", "expected"),
    [
        (times, {"fn_args": [2], "fn_kwargs": {"plus": 1}}, [1, 3, 5, 7, 9, 11]),
        (Adder, {"fn_constructor_args": [10], "concurrency": 1}, [10, 11, 12, 13, 14, 15]),
        (lambda batch: {"n": [len(batch["id"])]}, {}, [3, 3]),
        (lambda batch: {"n": [len(batch["id"])]}, {"batch_size": 2}, [2, 1, 2, 1]),
        (lambda batch: {"n": [len(batch["id"])]}, {"batch_size": 4}, [4, 2]),
        (lambda frame: frame[frame["id"] > 3], {"batch_format": "pandas"}, [4, 5]),
        (lambda table: table.slice(1), {"batch_format": "pyarrow"}, [1, 2, 4, 5]),
        (lambda batch: ({"x": batch["id"][:1] + i} for i in range(2)), {}, [0, 1, 3, 4]),
        (lambda batch: {"x": torch.as_tensor(batch["id"])}, {}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_map_batches(function: Callable[..., Any], options: dict[str, Any], expected: list[int]) -> None:
    assert ids(six().map_batches(function, **options)) == expected


def test_arrays_are_views_unless_a_copy_is_asked_for() -> None:
    def change(batch: dict[str, Any]) -> dict[str, Any]:
        batch["id"] += 1
        return batch

    with pytest.raises(ValueError, match="read-only"):
        six().map_batches(change).take_all()
    assert ids(six().map_batches(change, zero_copy_batch=False)) == [1, 2, 3, 4, 5, 6]
    assert ids(six()) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (lambda: data.range(10).train_test_split(0.25), [[0, 1, 2, 3, 4, 5, 6], [7, 8, 9]]),
        (lambda: data.range(10).train_test_split(3), [[0, 1, 2, 3, 4, 5, 6], [7, 8, 9]]),
        (lambda: data.range(7, override_num_blocks=3).split(2), [[0, 1, 2, 3], [4, 5, 6]]),
        (lambda: data.range(7, override_num_blocks=3).split(2, equal=True), [[0, 1, 2], [3, 4, 5]]),
        (lambda: data.range(7).split_at_indices([2, 5, 9]), [[0, 1], [2, 3, 4], [5, 6], []]),
        (lambda: data.range(10).split_proportionately([0.2, 0.5]), [[0, 1], [2, 3, 4, 5, 6], [7, 8, 9]]),
    ],
)
def test_splits(parts: Callable[[], list[data.Dataset]], expected: list[list[int]]) -> None:
    assert [ids(part) for part in parts()] == expected


def test_streaming_split() -> None:
    shards = data.from_items(list(range(5))).streaming_split(2, equal=True)
    assert [[row["item"] for row in shard.iter_rows()] for shard in shards] == [[0, 2], [1, 3]]


def test_files(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, None]})
    frame.to_csv(tmp_path / "x.csv", index=False)
    frame.to_parquet(tmp_path / "x.parquet")
    (tmp_path / "x.json").write_text("\n".join(json.dumps({"a": a}) for a in (1, 2)))
    assert data.read_csv(str(tmp_path / "x.csv")).take_all() == [{"a": 1, "b": 0.5}, {"a": 2, "b": None}]
    assert data.read_csv(tmp_path).count() == 2, "other files in the folder are left out"
    assert data.read_parquet([str(tmp_path / "x.parquet")] * 2, columns=["a"]).count() == 4
    assert ids(data.read_json(str(tmp_path / "x.json"))) == [1, 2]
    with pytest.raises(FileNotFoundError, match="missing"):
        data.read_csv(str(tmp_path / "missing.csv"))


def test_what_a_dataset_says_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    dataset = data.from_items([{"x": 1, "v": np.ones(2)}, {"x": 4, "v": np.ones(2)}])
    assert (dataset.count(), dataset.columns(), dataset.num_blocks()) == (2, ["x", "v"], 2)
    assert str(dataset.schema().types[0]) == "int64"
    assert (dataset.sum("x"), dataset.mean("x"), dataset.min("x"), dataset.max("x")) == (5, 2.5, 1, 4)
    assert dataset.std(["x"]) == {"std(x)": pytest.approx(2.1213203)}
    assert dataset.to_pandas()["v"][1].tolist() == [1, 1]
    assert data.from_items([]).schema() is None
    data.range(2).show()
    assert capsys.readouterr().out == "{'id': 0}\n{'id': 1}\n"


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda: data.range(3).take_all(limit=2), ValueError, "more than the given limit"),
        (lambda: data.range(3).iter_batches(batch_format="x"), ValueError, "batch format x"),
        (lambda: data.range(3).map_batches(len, batch_format="x"), ValueError, "batch format x"),
        (lambda: data.range(3).iter_torch_batches(collate_fn=len, dtypes=torch.int64), ValueError, "dtypes"),
        (lambda: data.range(3).iter_batches(batch_size=None, local_shuffle_buffer_size=2), ValueError, "batch_size"),
        (lambda: data.range(3).map(lambda row: row["id"]).take(), ValueError, "must be a dictionary"),
        (lambda: data.range(3).map_batches(lambda batch: [1]).take(), ValueError, "type <class 'list'>"),
        (lambda: data.range(3).map_batches(lambda batch: {"a": 3}).take(), ValueError, "value for 'a'"),
        (lambda: data.range(3).drop_columns(["x"]).take(), KeyError, "x"),
        (lambda: data.range(3).sort("x").take(), ValueError, "no column 'x'"),
        (lambda: data.range(3).train_test_split(1.5), ValueError, "smaller than 1. Got 1.5"),
        (lambda: data.range(3).train_test_split(3), ValueError, r"size of the dataset \(3\)"),
        (lambda: data.range(3).filter(expr="id > 1"), NotImplementedError, r"ray\[data\]"),
        (lambda: data.read_csv("s3://bucket/x.csv"), NotImplementedError, r"ray\[data\]"),
        (lambda: data.read_csv("x.csv", partitioning=3), NotImplementedError, "partitioning"),
        (lambda: len(data.range(3)), AttributeError, "count"),
        (lambda: list(data.range(3)), TypeError, "iter_rows"),
        (lambda: list(data.range(3).iterator()), TypeError, "iter_rows"),
        (lambda: data.range(3).groupby("id"), AttributeError, r"ray\[data\]"),
        (lambda: data.read_images("x"), AttributeError, r"ray\[data\]"),
    ],
)
def test_what_is_refused(use: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        use()


class ByLargest(Preprocessor):
    def _fit(self, ds: data.Dataset) -> Preprocessor:
        self.stats_ = {"largest": ds.max("a")}
        return self

    def _transform_pandas(self, df: pd.DataFrame) -> pd.DataFrame:
        return df.assign(a=df["a"] / self.stats_["largest"])


class Stateless(Preprocessor):
    _is_fittable = False

    def _transform_numpy(self, np_data: dict[str, Any]) -> dict[str, Any]:
        return {**np_data, "a": np_data["a"] * 10}


@pytest.mark.parametrize(
    ("preprocessor", "columns"),
    [
        (ByLargest(), {"a": [0.25, 0.5, 0.75, 1.0]}),
        (Stateless(), {"a": [10, 20, 30, 40]}),
        (StandardScaler(["a", "b"]), {"a": [-1.34164079, -0.4472136, 0.4472136, 1.34164079], "b": [0, 0, 0, 0]}),
        (
            MinMaxScaler(["a", "b"], output_columns=["c", "d"]),
            {"c": [0, 1 / 3, 2 / 3, 1], "d": [0] * 4, "a": [1, 2, 3, 4]},
        ),
        (Concatenator(["a", "b"], "x", dtype=np.float32), {"x": [[1, 4], [2, 4], [3, 4], [4, 4]]}),
        (Chain(MinMaxScaler(["a"]), ByLargest(), Concatenator(["a"])), {"concat_out": [[0], [1 / 3], [2 / 3], [1]]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_preprocessors(preprocessor: Preprocessor, columns: dict[str, Any]) -> None:
    dataset = data.from_pandas(pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [4.0] * 4}))
    (batch,) = preprocessor.fit_transform(dataset).iter_batches()
    for name, values in columns.items():
        np.testing.assert_allclose(batch[name], values, rtol=1e-6)
    transformed = preprocessor.transform_batch(dataset.to_pandas())
    np.testing.assert_allclose(np.stack(list(transformed[name])), values, rtol=1e-6)


class NotSetUp(ByLargest):
    def __init__(self) -> None:
        self.limit = 3


class ReturnsNothing(ByLargest):
    def _fit(self, ds: data.Dataset) -> Preprocessor:
        super()._fit(ds)
        return None  # type: ignore[return-value]


@pytest.mark.parametrize(("made", "message"), [(NotSetUp, r"super\(\)"), (ReturnsNothing, "return self")])
def test_a_preprocessor_that_ray_can_not_fit(made: type[Preprocessor], message: str) -> None:
    with pytest.raises(AttributeError, match=message):
        made().fit(data.from_pandas(pd.DataFrame({"a": [1.0]})))


def test_a_preprocessor_must_be_fitted() -> None:
    with pytest.raises(PreprocessorNotFittedException, match="fit_transform"):
        Chain(Stateless(), ByLargest()).transform(data.range(2))
