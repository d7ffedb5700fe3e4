"""`ray.data.collate_fn`: base classes for collate functions, which say what form of batch they are called with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

__all__ = ["ArrowBatchCollateFn", "CollateFn", "NumpyBatchCollateFn", "PandasBatchCollateFn"]


class CollateFn(ABC):
    """Makes what a training loop takes of a batch."""

    @abstractmethod
    def __call__(self, batch: Any) -> Any: ...


class ArrowBatchCollateFn(CollateFn):
    """Called with Arrow tables."""

    @abstractmethod
    def __call__(self, batch: pa.Table) -> Any: ...


class NumpyBatchCollateFn(CollateFn):
    """Called with dictionaries of NumPy arrays, as plain functions are."""

    @abstractmethod
    def __call__(self, batch: dict[str, np.ndarray]) -> Any: ...


class PandasBatchCollateFn(CollateFn):
    """Called with pandas frames."""

    @abstractmethod
    def __call__(self, batch: pd.DataFrame) -> Any: ...
