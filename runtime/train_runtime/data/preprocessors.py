"""`ray.data.preprocessors`: the scalers, `Concatenator` and `Chain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from train_runtime._removed import advice
from train_runtime.data.preprocessor import Preprocessor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from train_runtime.data.dataset import Dataset

__all__ = ["Chain", "Concatenator", "MinMaxScaler", "Preprocessor", "StandardScaler"]

# Below this, columns count as constant.
_SMALLEST_DEVIATION = 1e-8


class _Scaler(Preprocessor):
    """Replaces columns, or adds them under other names, by their values minus an offset, divided by a scale."""

    def __init__(self, columns: list[str], output_columns: list[str] | None = None) -> None:
        super().__init__()
        self.columns = columns
        self.output_columns = output_columns or columns
        if len(self.output_columns) != len(columns):
            raise ValueError("`columns` and `output_columns` must have the same length.")

    def _transform_pandas(self, df: pd.DataFrame) -> pd.DataFrame:
        scaled = {}
        for column, output in zip(self.columns, self.output_columns, strict=True):
            offset, scale = self._offset_and_scale(column)
            scaled[output] = (df[column] - offset) / scale
        frame: pd.DataFrame = df.assign(**scaled)
        return frame

    def _offset_and_scale(self, column: str) -> tuple[float, float]:
        raise NotImplementedError


class StandardScaler(_Scaler):
    """Columns with mean 0 and standard deviation 1; constant ones become 0."""

    def _fit(self, ds: Dataset) -> Preprocessor:
        table = ds.select_columns(self.columns).materialize()
        self.stats_ = {
            **{f"mean({column})": table.mean(column) for column in self.columns},
            **{f"std({column})": table.std(column, ddof=0) for column in self.columns},
        }
        return self

    def _offset_and_scale(self, column: str) -> tuple[float, float]:
        deviation = self.stats_[f"std({column})"]
        return self.stats_[f"mean({column})"], 1 if deviation < _SMALLEST_DEVIATION else deviation


class MinMaxScaler(_Scaler):
    """Columns from 0 to 1; constant ones become 0."""

    def _fit(self, ds: Dataset) -> Preprocessor:
        table = ds.select_columns(self.columns).materialize()
        self.stats_ = {**table.min(self.columns), **table.max(self.columns)}
        return self

    def _offset_and_scale(self, column: str) -> tuple[float, float]:
        smallest, largest = self.stats_[f"min({column})"], self.stats_[f"max({column})"]
        return smallest, largest - smallest or 1


class Concatenator(Preprocessor):
    """Columns of numbers put together into one column of vectors."""

    _is_fittable = False

    def __init__(
        self,
        columns: list[str],
        output_column_name: str = "concat_out",
        dtype: Any = None,
        raise_if_missing: bool = False,
    ) -> None:
        super().__init__()
        self.columns = columns
        self.output_column_name = output_column_name
        self.dtype = dtype
        self.raise_if_missing = raise_if_missing

    def _transform_pandas(self, df: pd.DataFrame) -> pd.DataFrame:
        if (missing := sorted(set(self.columns) - set(df))) and self.raise_if_missing:
            raise ValueError(f"Missing columns specified in '{self.columns}': {missing}")
        vectors = np.column_stack([df[column].to_numpy(dtype=self.dtype) for column in self.columns])
        frame: pd.DataFrame = df.drop(columns=self.columns).assign(**{self.output_column_name: list(vectors)})
        return frame


class Chain(Preprocessor):
    """Preprocessors one after the other: each is fitted to what those before it make of the data."""

    def __init__(self, *preprocessors: Preprocessor) -> None:
        super().__init__()
        self.preprocessors: Sequence[Preprocessor] = preprocessors

    def fit_status(self) -> Preprocessor.FitStatus:
        """Fitted if all are that can be."""
        statuses = {preprocessor.fit_status() for preprocessor in self.preprocessors}
        statuses -= {Preprocessor.FitStatus.NOT_FITTABLE}
        if not statuses:
            return Preprocessor.FitStatus.NOT_FITTABLE
        return statuses.pop() if len(statuses) == 1 else Preprocessor.FitStatus.PARTIALLY_FITTED

    def _fit(self, ds: Dataset) -> Preprocessor:
        for preprocessor in self.preprocessors:
            ds = preprocessor.fit_transform(ds)
        return self

    def _transform(self, ds: Dataset, batch_size: int | None) -> Dataset:
        for preprocessor in self.preprocessors:
            ds = preprocessor.transform(ds, batch_size=batch_size)
        return ds

    def _transform_batch(self, data: Any) -> Any:
        for preprocessor in self.preprocessors:
            data = preprocessor.transform_batch(data)
        return data


def __getattr__(name: str) -> NoReturn:
    hint = "" if name.startswith("_") else f": {advice(f'ray.data.preprocessors.{name}')}"
    raise AttributeError(f"module 'ray.data.preprocessors' has no attribute {name!r}{hint}", name=name)
