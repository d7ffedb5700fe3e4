"""What a dataset is made of: stored blocks, and steps that are taken anew for each pass over it, as on Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from train_runtime.data._blocks import Block

if TYPE_CHECKING:
    from pathlib import Path

    import datasets

Operation = Callable[[list[list[Block]]], list[Block]]


class Plan(Protocol):
    """Something that gives blocks."""

    @property
    def is_stored(self) -> bool:
        """Whether it gives the same blocks every time, at no cost."""

    def blocks(self) -> list[Block]:
        """The blocks; all steps are taken."""

    def stored_in(self, folder: Path) -> Plan:
        """The same plan with its data in files of the folder, so that it is small when it is pickled."""


@dataclass(frozen=True)
class InMemory:
    """Blocks of this process."""

    data: tuple[Block, ...]
    is_stored = True

    def blocks(self) -> list[Block]:
        return list(self.data)

    def stored_in(self, folder: Path) -> Plan:
        path = folder / f"{len(list(folder.iterdir()))}.arrow"
        write(self.data, path)
        return OnDisk(path)


@dataclass(frozen=True)
class OnDisk:
    """Blocks in a file that `write` has written."""

    path: Path
    is_stored = True

    def blocks(self) -> list[Block]:
        return read(self.path)

    def stored_in(self, folder: Path) -> Plan:
        return self


@dataclass(frozen=True)
class HuggingFace:
    """A dataset of the `datasets` library, which maps its own files into memory, and pickles as their names."""

    dataset: datasets.Dataset
    is_stored = True

    def blocks(self) -> list[Block]:
        return [Block(self.dataset.with_format("arrow")[:].replace_schema_metadata(None), is_placed=True)]

    def stored_in(self, folder: Path) -> Plan:
        # With indices each process would make a copy of the rows that they choose.
        is_mapped = self.dataset.cache_files and self.dataset._indices is None
        return self if is_mapped else InMemory(tuple(self.blocks())).stored_in(folder)


@dataclass(frozen=True)
class Step:
    """An operation on the blocks of other plans."""

    inputs: tuple[Plan, ...]
    operation: Operation
    is_stored = False

    def blocks(self) -> list[Block]:
        return self.operation([plan.blocks() for plan in self.inputs])

    def stored_in(self, folder: Path) -> Plan:
        return Step(tuple(plan.stored_in(folder) for plan in self.inputs), self.operation)


def write(blocks: Sequence[Block], path: Path) -> None:
    """Write blocks to an Arrow file: a stream for each, as they need not have the same columns."""
    with pa.OSFile(str(path), "wb") as sink:
        for block in blocks:
            metadata = {**(block.table.schema.metadata or {}), _PLACED: b"1" if block.is_placed else b""}
            table = block.table.replace_schema_metadata(metadata)
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table.combine_chunks())


def read(path: Path) -> list[Block]:
    """The blocks in a file, mapped into memory: nothing is read before it is used."""
    source: Any = pa.memory_map(str(path)) if path.stat().st_size else pa.BufferReader(b"")
    blocks = []
    while source.tell() < source.size():
        table = pa.ipc.open_stream(source).read_all()
        metadata = dict(table.schema.metadata)
        is_placed = bool(metadata.pop(_PLACED))
        blocks.append(Block(table.replace_schema_metadata(metadata or None), is_placed))
    return blocks


_PLACED = b"train_runtime.is_placed"
