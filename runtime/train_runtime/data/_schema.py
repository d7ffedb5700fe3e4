"""`ray.data.Schema`: the names and types of a dataset's columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Schema:
    """The columns of a dataset."""

    base_schema: pa.Schema

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return list(self.base_schema.names)

    @property
    def types(self) -> list[pa.DataType]:
        """The columns' Arrow types."""
        return list(self.base_schema.types)

    def __repr__(self) -> str:
        width = max([6, *map(len, self.names)])
        rows = [("Column", "Type"), ("-" * 6, "-" * 4), *zip(self.names, map(str, self.types), strict=True)]
        return "\n".join(f"{name:<{width}}  {kind}" for name, kind in rows)
