"""`ray.data.DataIterator`: passes over a dataset, or over a worker's part of one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from train_runtime.data import _batches
from train_runtime.data._columns import to_rows
from train_runtime.data._plan import InMemory
from train_runtime.data.collate_fn import ArrowBatchCollateFn, PandasBatchCollateFn

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from train_runtime.data._blocks import Block
    from train_runtime.data._schema import Schema
    from train_runtime.data.dataset import Dataset

__all__ = ["DataIterator"]

# How many rows are Python objects at a time, while rows are iterated over.
_ROWS_AT_ONCE = 1024


class DataIterator:
    """Iterates over rows and batches; each `iter()` of what its methods return is a pass over all of them.

    `next_pass` gives the blocks of the next pass. `prefetch_batches` is taken as on Ray, but nothing is fetched ahead:
    the data lies on this machine.
    """

    def __init__(self, next_pass: Callable[[], list[Block]]) -> None:
        self._next_pass = next_pass

    def iter_batches(
        self,
        *,
        prefetch_batches: int = 1,
        batch_size: int | None = 256,
        batch_format: str | None = "default",
        drop_last: bool = False,
        local_shuffle_buffer_size: int | None = None,
        local_shuffle_seed: int | None = None,
    ) -> Iterable[Any]:
        """Batches as dictionaries of NumPy arrays ("numpy", the default), pandas frames ("pandas") or Arrow tables.

        The last batch may be shorter, unless `drop_last`; `batch_size=None` gives each block as a batch.

        Raises:
            ValueError: for another format, or for a shuffle buffer without a batch size.
        """
        _batches.check_format(batch_format)
        if local_shuffle_buffer_size is not None and batch_size is None:
            raise ValueError("Must specify a batch_size if using a local shuffle.")

        def tables() -> Iterator[pa.Table]:
            blocks = self._next_pass()
            if local_shuffle_buffer_size is None or batch_size is None:
                cut = _batches.cut([block.table for block in blocks], batch_size)
            else:
                cut = _batches.shuffled(blocks, batch_size, local_shuffle_buffer_size, local_shuffle_seed)
            for table in cut:
                if not (drop_last and batch_size is not None and table.num_rows < batch_size):
                    yield table

        return IterableFromIterator(lambda: (_batches.formatted(table, batch_format) for table in tables()))

    def iter_rows(self) -> Iterable[dict[str, Any]]:
        """Rows as dictionaries of Python values."""

        def rows() -> Iterator[dict[str, Any]]:
            for block in self._next_pass():
                for table in _batches.cut([block.table], _ROWS_AT_ONCE):
                    yield from to_rows(table)

        return IterableFromIterator(rows)

    def iter_torch_batches(
        self,
        *,
        prefetch_batches: int = 1,
        batch_size: int | None = 256,
        dtypes: torch.dtype | dict[str, torch.dtype] | None = None,
        device: str | torch.device = "auto",
        collate_fn: Callable[[Any], Any] | None = None,
        drop_last: bool = False,
        local_shuffle_buffer_size: int | None = None,
        local_shuffle_seed: int | None = None,
        pin_memory: bool = False,
    ) -> Iterable[Any]:
        """Batches as dictionaries of tensors on `device`: in a worker its own, elsewhere the CPU.

        `collate_fn` makes a batch of a dictionary of NumPy arrays (or of what its base class in `ray.data.collate_fn`
        says) instead; tensors that it returns, alone or in a list, tuple or dictionary of tensors, are moved too.

        Raises:
            ValueError: for `collate_fn` together with `dtypes`.
        """
        import torch

        if collate_fn is not None and dtypes is not None:
            raise ValueError(
                "collate_fn cannot be used with dtypes. You should manually convert the output Torch tensors to the "
                "desired dtype inside collate_fn."
            )
        target = torch.device(_default_device() if device == "auto" else device)

        def finished(batch: Any) -> Any:
            batch = collate_fn(batch) if collate_fn else _tensors(batch, dtypes)
            return _moved(batch, target, pin_memory) if _is_of_tensors(batch) else batch

        batches = self.iter_batches(
            batch_size=batch_size,
            batch_format=_format_for(collate_fn),
            drop_last=drop_last,
            local_shuffle_buffer_size=local_shuffle_buffer_size,
            local_shuffle_seed=local_shuffle_seed,
        )
        return IterableFromIterator(lambda: map(finished, batches))

    def materialize(self) -> Dataset:
        """The rows of the next pass as a dataset."""
        from train_runtime.data.dataset import Dataset

        return Dataset(InMemory(tuple(self._next_pass())))

    def schema(self) -> Schema | None:
        """The names and types of the columns."""
        return self.materialize().schema()

    def __iter__(self) -> None:
        raise TypeError("To iterate over a shard, call its `iter_rows()`, `iter_batches()` or `iter_torch_batches()`.")


class IterableFromIterator:
    """An iterable whose every iterator begins anew (of this type are Ray's `iter_torch_batches`, too)."""

    def __init__(self, begin: Callable[[], Iterator[Any]]) -> None:
        self._begin = begin

    def __iter__(self) -> Iterator[Any]:
        return self._begin()


def _default_device() -> str | torch.device:
    from train_runtime import _session
    from train_runtime.torch._train_loop import get_device

    return get_device() if _session.is_worker() else "cpu"


def _format_for(collate_fn: object) -> str:
    if isinstance(collate_fn, ArrowBatchCollateFn):
        return "pyarrow"
    if isinstance(collate_fn, PandasBatchCollateFn):
        return "pandas"
    return "numpy"


def _tensors(
    batch: Mapping[str, np.ndarray], dtypes: torch.dtype | Mapping[str, torch.dtype] | None
) -> dict[str, torch.Tensor]:
    return {
        name: _tensor(name, array, dtypes[name] if isinstance(dtypes, Mapping) else dtypes)
        for name, array in batch.items()
    }


def _tensor(name: str, array: np.ndarray, dtype: torch.dtype | None) -> torch.Tensor:
    import torch

    if array.dtype == object:
        array = _unpacked(array)
    if array.dtype == object:
        raise RuntimeError(
            f"The column {name!r} cannot become one tensor: its elements are of different sizes, or no numbers. "
            "Give `iter_torch_batches` a `collate_fn`, or leave the column out with `select_columns`."
        )
    with warnings.catch_warnings():
        # The tensor shares the memory of the data, which is read-only.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.as_tensor(array, dtype=dtype)


def _unpacked(array: np.ndarray) -> np.ndarray:
    """An array of equal lists as one array with a dimension more; any other one as it is."""
    try:
        return np.array([np.asarray(element) for element in array])
    except ValueError:
        return array


def _is_of_tensors(batch: object) -> bool:
    """Whether the batch is a tensor, or a list, tuple or dictionary of nothing else."""
    import torch

    if isinstance(batch, torch.Tensor):
        return True
    parts = list(batch.values()) if isinstance(batch, Mapping) else batch
    return isinstance(parts, (list, tuple)) and bool(parts) and all(isinstance(part, torch.Tensor) for part in parts)


def _moved(batch: Any, device: torch.device, pin_memory: bool) -> Any:
    if isinstance(batch, Mapping):
        return {name: _moved(tensor, device, pin_memory) for name, tensor in batch.items()}
    if isinstance(batch, (list, tuple)):
        return type(batch)(_moved(tensor, device, pin_memory) for tensor in batch)
    tensor = batch.pin_memory() if pin_memory else batch
    return tensor.to(device, non_blocking=device.type == "cuda")
