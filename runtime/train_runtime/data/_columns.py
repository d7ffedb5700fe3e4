"""Between Python's and NumPy's values and Arrow's columns, with the types that Ray Data gives them.

NumPy arrays and torch tensors of one shape become a tensor column, lists become a list column, and what Arrow has no
type for (tuples of tensors, tensors of several shapes) becomes a column of pickled Python objects.
"""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray


class _ObjectScalar(pa.ExtensionScalar):  # type: ignore[misc]  # pyarrow has no types
    def as_py(self, **options: Any) -> Any:
        return None if self.value is None else pickle.loads(self.value.as_py())


class _ObjectType(pa.ExtensionType):  # type: ignore[misc]
    """Any Python objects, pickled one by one."""

    def __init__(self) -> None:
        super().__init__(pa.large_binary(), "train_runtime.object")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> _ObjectType:
        return cls()

    def __arrow_ext_scalar_class__(self) -> type[_ObjectScalar]:
        return _ObjectScalar


pa.register_extension_type(_ObjectType())


def table_of_columns(columns: Mapping[str, Any]) -> pa.Table:
    """A table of a batch: its columns are lists, NumPy arrays, tensors or Arrow arrays."""
    return pa.table({name: _to_arrow(values) for name, values in columns.items()})


def table_of_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """A table of dictionaries; what one of them lacks is null."""
    names = dict.fromkeys(name for row in rows for name in row)
    return table_of_columns({name: [row.get(name) for row in rows] for name in names})


def is_frame(value: object) -> bool:
    """Whether it is a pandas frame; pandas is not imported for that, as who has one has imported it."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def table_of_frame(frame: pd.DataFrame) -> pa.Table:
    """A table of a pandas frame without its index, which remembers the frame's types."""
    tensors = [name for name in frame.columns if len(frame) and isinstance(frame[name].iloc[0], np.ndarray)]
    plain = pa.Table.from_pandas(frame.drop(columns=tensors), preserve_index=False)
    columns = {str(name): _to_arrow(frame[name].tolist()) if name in tensors else plain[str(name)] for name in frame}
    return pa.table(columns, metadata=plain.schema.metadata)


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """All rows as one table; columns that a table lacks are null."""
    filled = [table for table in tables if table.num_rows and table.num_columns] or tables[:1]
    if len(filled) < 2:
        return filled[0] if filled else pa.table({})
    types: dict[str, set[pa.DataType]] = {}
    for field in [field for table in filled for field in table.schema]:
        types.setdefault(field.name, set()).add(field.type)
    for name, different in types.items():
        if len(different) > 1 and any(isinstance(one, pa.BaseExtensionType) for one in different):
            filled = [_with_objects(table, name) for table in filled]  # tensors of several shapes
    return pa.concat_tables(filled, promote_options="permissive")


def _with_objects(table: pa.Table, name: str) -> pa.Table:
    if name not in table.column_names:
        return table
    objects = _pickled(list(_column_to_numpy(table[name])))
    return table.set_column(table.column_names.index(name), name, objects)


def to_numpy(table: pa.Table) -> dict[str, NDArray[Any]]:
    """The columns as arrays: nulls among numbers are NaN, lists are an array of arrays."""
    return {name: _column_to_numpy(table[name]) for name in table.column_names}


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The table as a frame: with the types of the frame that it was made of, else with Arrow's."""
    import pandas as pd

    special = {field.name for field in table.schema if isinstance(field.type, pa.BaseExtensionType)}
    plain = table.select([name for name in table.column_names if name not in special])
    was_frame = b"pandas" in (table.schema.metadata or {})
    frame: pd.DataFrame = plain.to_pandas(types_mapper=None if was_frame else pd.ArrowDtype)
    if not plain.num_columns:
        frame = pd.DataFrame(index=range(table.num_rows))
    for index, name in enumerate(table.column_names):
        if name in special:
            values = pd.Series(list(_column_to_numpy(table[name])), dtype=object, index=frame.index)
            frame.insert(index, name, values)
    return frame


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as dictionaries of Python values; a tensor's are NumPy arrays."""
    columns = [
        list(_column_to_numpy(column)) if isinstance(column.type, pa.FixedShapeTensorType) else column.to_pylist()
        for column in table.columns
    ]
    return [dict(zip(table.column_names, values, strict=True)) for values in zip(*columns, strict=True)]


def _column_to_numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    # An array of one chunk is not copied.
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of no chunk, or of more than one array can hold
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_null(array.type):
        return np.full(len(array), np.nan, dtype=np.float32)
    if isinstance(array.type, pa.FixedShapeTensorType):
        return _tensors_to_numpy(array)
    if isinstance(array.type, _ObjectType):
        return _objects(array.to_pylist())
    numpy_array: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return numpy_array


def _objects(values: Sequence[Any]) -> NDArray[Any]:
    """A flat array of references, whatever the values' own shapes."""
    array = np.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        array[index] = value
    return array


def _to_arrow(values: Any) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    if not isinstance(values, (list, np.ndarray)):
        values = np.asarray(values)  # a tensor, a pandas series
    if isinstance(values, list) or values.dtype == object:
        values = _stacked(list(values))
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return _tensors(values)
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return _pickled(values)


def _pickled(values: Iterable[Any]) -> pa.Array:
    pickled = [None if value is None else pickle.dumps(value) for value in values]
    return pa.ExtensionArray.from_storage(_ObjectType(), pa.array(pickled, pa.large_binary()))


def _stacked(values: list[Any]) -> list[Any] | NDArray[Any]:
    """The values as one array if they are scalars of one kind, or arrays of one shape and type."""
    if not values:
        return values
    if all(_is_array(value) for value in values):
        arrays = [np.asarray(value) for value in values]
        if len({(array.shape, array.dtype) for array in arrays}) == 1 and arrays[0].dtype != object:
            return np.stack(arrays)
        return list(_objects(arrays))
    if all(np.isscalar(value) and not isinstance(value, bytes) for value in values):
        return np.asarray(values)
    return values


def _is_array(value: object) -> bool:
    return hasattr(value, "__array__") and not isinstance(value, np.generic)


def _tensors(array: NDArray[Any]) -> pa.Array:
    size = int(np.prod(array.shape[1:]))
    storage = pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), size)
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(storage.type.value_type, array.shape[1:]), storage)


def _tensors_to_numpy(array: pa.Array) -> NDArray[Any]:
    if not len(array) or pa.types.is_boolean(array.type.value_type):  # Arrow itself has no such tensors
        values: NDArray[Any] = array.storage.flatten().to_numpy(zero_copy_only=False)
        return values.reshape(len(array), *array.type.shape)
    tensors: NDArray[Any] = array.to_numpy_ndarray()
    return tensors
