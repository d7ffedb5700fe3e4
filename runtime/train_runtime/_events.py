"""TensorBoard's event files.

Written here because the libraries that write them import torch, which takes longer than a short run; the format is a
few fields: https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto, in records of
length, checksum, data, checksum.
"""

from __future__ import annotations

import functools
import math
import socket
import struct
import time
from numbers import Real
from typing import TYPE_CHECKING, Any

from train_runtime._metrics import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping

PATTERN = "events.out.tfevents.*"
_CASTAGNOLI = 0x82F63B78
_LENGTH_DELIMITED, _FLOAT = 2, 5


def file_name() -> str:
    """A new file's name, by which TensorBoard knows it."""
    return PATTERN.replace("*", f"{int(time.time())}.{socket.gethostname()}")


def file_header() -> bytes:
    """The file's first record."""
    return _record(_event(_bytes(3, b"brain.Event:2")))


def scalars(metrics: Mapping[str, Any], step: int, wall_time: float) -> bytes:
    """One record with the numbers among the metrics; nothing if there are none."""
    values = b"".join(
        _bytes(1, _bytes(1, name.encode()) + _key(2, _FLOAT) + _single(value))
        for name, value in flatten(metrics).items()
        if isinstance(value, Real) and value == value  # not NaN
    )
    return _record(_event(b"\x10" + _varint(step) + _bytes(5, values), wall_time)) if values else b""


def _event(fields: bytes, wall_time: float | None = None) -> bytes:
    return b"\x09" + struct.pack("<d", time.time() if wall_time is None else wall_time) + fields


def _single(value: Any) -> bytes:
    try:
        return struct.pack("<f", float(value))
    except OverflowError:
        return struct.pack("<f", math.inf if value > 0 else -math.inf)


def _bytes(field: int, content: bytes) -> bytes:
    return _key(field, _LENGTH_DELIMITED) + _varint(len(content)) + content


def _key(field: int, wire_type: int) -> bytes:
    return bytes([field << 3 | wire_type])


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    table = _crc_table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<I", masked)


@functools.cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
        table.append(crc)
    return tuple(table)
