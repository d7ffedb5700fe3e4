"""A data loader whose batches arrive on the worker's device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader


class DeviceLoader(DataLoader):  # type: ignore[misc, type-arg, unused-ignore]  # torch is not followed by mypy
    """Wraps a loader and behaves as it does (attributes, length), but moves each batch."""

    def __init__(self, loader: DataLoader[Any], device: torch.device, auto_transfer: bool) -> None:
        # DataLoader.__init__ is not called: this object only looks like one, the wrapped loader does the work.
        self.__dict__.update(loader.__dict__)
        self._loader = loader
        self._device = device
        self._non_blocking = auto_transfer and device.type == "cuda"

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        for batch in self._loader:
            yield self._moved(batch)

    def _moved(self, item: Any) -> Any:
        if isinstance(item, torch.Tensor):
            return item.to(self._device, non_blocking=self._non_blocking)
        if isinstance(item, Mapping):
            return {key: self._moved(value) for key, value in item.items()}
        if isinstance(item, tuple):
            return tuple(self._moved(value) for value in item)
        if isinstance(item, list):
            return [self._moved(value) for value in item]
        return item
