"""`ray.data.preprocessor`: what is fitted to a dataset, and then transforms datasets."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from train_runtime.data import _batches
from train_runtime.data._columns import table_of_columns, table_of_frame

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from train_runtime.data.dataset import Dataset

__all__ = ["Preprocessor", "PreprocessorNotFittedException"]


class PreprocessorNotFittedException(RuntimeError):
    """`fit` must be called first."""


class Preprocessor:
    """Base class: implement `_fit` (or set `_is_fittable = False`), and `_transform_pandas` or `_transform_numpy`.

    What `_fit` learns it stores in attributes whose names end in an underscore, such as `stats_`.
    """

    class FitStatus(str, enum.Enum):
        """Whether `fit` was called, or need not be; of a chain it may be true in part."""

        NOT_FITTABLE = "NOT_FITTABLE"
        NOT_FITTED = "NOT_FITTED"
        PARTIALLY_FITTED = "PARTIALLY_FITTED"
        FITTED = "FITTED"

    _is_fittable = True
    _fitted = False
    _is_set_up = False
    stats_: Mapping[str, Any]

    def __init__(self) -> None:
        self._is_set_up = True
        self.stats_ = {}

    def fit_status(self) -> FitStatus:
        """Whether it can transform."""
        if not self._is_fittable:
            return Preprocessor.FitStatus.NOT_FITTABLE
        if self._fitted or any(name.endswith("_") and value for name, value in vars(self).items()):
            return Preprocessor.FitStatus.FITTED
        return Preprocessor.FitStatus.NOT_FITTED

    def fit(self, ds: Dataset) -> Preprocessor:
        """Learn from the dataset; what was learnt before is forgotten.

        Raises:
            AttributeError: as on Ray, in a class whose `__init__` doesn't call that of this one, or whose `_fit`
                returns no preprocessor.
        """
        if self.fit_status() is Preprocessor.FitStatus.NOT_FITTABLE:
            return self
        name = type(self).__name__
        if not self._is_set_up:
            raise AttributeError(f"`{name}.__init__` must call `super().__init__()`.")
        self.stats_ = {}
        fitted = self._fit(ds)
        if not isinstance(fitted, Preprocessor):
            raise AttributeError(f"`{name}._fit` must return the preprocessor: `return self`.")
        self._fitted = True
        return fitted

    def fit_transform(self, ds: Dataset) -> Dataset:
        """`fit`, then `transform`."""
        return self.fit(ds).transform(ds)

    def transform(self, ds: Dataset, *, batch_size: int | None = None, **resources: Any) -> Dataset:
        """The dataset with all batches transformed.

        Raises:
            PreprocessorNotFittedException: before `fit`.
        """
        self._check_fitted("transform")
        return self._transform(ds, batch_size)

    def transform_batch(self, data: Any) -> Any:
        """One batch transformed: a pandas frame, an Arrow table or a dictionary of arrays.

        Raises:
            PreprocessorNotFittedException: before `fit`.
        """
        self._check_fitted("transform_batch")
        return self._transform_batch(data)

    def _check_fitted(self, name: str) -> None:
        if self.fit_status() in (Preprocessor.FitStatus.NOT_FITTED, Preprocessor.FitStatus.PARTIALLY_FITTED):
            raise PreprocessorNotFittedException(
                f"`fit` must be called before `{name}`, or simply use fit_transform() to run both steps"
            )

    def _transform(self, ds: Dataset, batch_size: int | None) -> Dataset:
        if self._batch_format() == "pandas":
            return ds.map_batches(self._transform_pandas, batch_size=batch_size, batch_format="pandas")
        return ds.map_batches(self._transform_numpy, batch_size=batch_size, batch_format="numpy")

    def _transform_batch(self, data: Any) -> Any:
        batch_format = self._batch_format()
        is_frame = not isinstance(data, (pa.Table, Mapping))
        if is_frame != (batch_format == "pandas") or isinstance(data, pa.Table):
            if not isinstance(data, pa.Table):
                data = table_of_frame(data) if is_frame else table_of_columns(data)
            data = _batches.formatted(data, batch_format)
        return self._transform_pandas(data) if batch_format == "pandas" else self._transform_numpy(data)

    def _batch_format(self) -> str:
        implemented = [
            name
            for name in ("pandas", "numpy")
            if getattr(type(self), f"_transform_{name}") is not getattr(Preprocessor, f"_transform_{name}")
        ]
        if not implemented:
            raise NotImplementedError(
                f"{type(self).__name__} implements neither `_transform_pandas` nor `_transform_numpy`."
            )
        return implemented[0] if len(implemented) == 1 else self.preferred_batch_format()

    @classmethod
    def preferred_batch_format(cls) -> str:
        """The format to use where both are implemented."""
        return "pandas"

    def _fit(self, ds: Dataset) -> Preprocessor:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_fit`.")

    def _transform_pandas(self, df: pd.DataFrame) -> pd.DataFrame:
        raise NotImplementedError

    def _transform_numpy(self, np_data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        raise NotImplementedError
