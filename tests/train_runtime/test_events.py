"""TensorBoard's event files, read with the protocol buffers of tensorboardX where it is installed."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from train_runtime import _events

EVENT = pytest.importorskip("tensorboardX.proto.event_pb2").Event
CHECKSUM = pytest.importorskip("tensorboardX.record_writer").masked_crc32c


def read(data: bytes) -> list[Any]:
    """The events of a file, each checked against its checksums."""
    events = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        content, end = data[12 : 12 + length], 16 + length
        assert struct.unpack("<I", data[8:12])[0] == CHECKSUM(data[:8])
        assert struct.unpack("<I", data[12 + length : end])[0] == CHECKSUM(content)
        events.append(EVENT.FromString(content))
        data = data[end:]
    return events


def test_numbers_are_written_with_their_flat_names() -> None:
    metrics = {"loss": 0.5, "eval": {"a/b": {"é": 3}}, "big": 10**400, "low": -1e300, "nan": float("nan"), "text": "x"}
    [event] = read(_events.scalars({**metrics, "ok": True, **{f"m{n}": n for n in range(40)}}, 300, 12.5))
    assert (event.step, event.wall_time) == (300, 12.5)
    values = {value.tag: value.simple_value for value in event.summary.value}
    assert values == {
        "loss": 0.5,
        "eval/a/b/é": 3.0,
        "big": float("inf"),
        "low": float("-inf"),
        "ok": 1.0,
        **{f"m{n}": float(n) for n in range(40)},
    }


def test_a_file_starts_with_its_version_and_skips_reports_without_numbers() -> None:
    [first] = read(_events.file_header())
    assert first.file_version == "brain.Event:2"
    assert _events.scalars({"text": "x"}, 1, 0.0) == b""
    assert _events.file_name().startswith("events.out.tfevents.")
