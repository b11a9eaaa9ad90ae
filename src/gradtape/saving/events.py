"""TensorBoard's event files: records of protocol buffers, each with its checksums.

A record is its length, a checksum of the length, the event, and a checksum of the event; the checksum is CRC-32C (Castagnoli, 1993), rotated
and shifted as TensorFlow's TFRecord format has it. Of the protocol buffers only what TensorBoard reads is written here.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
import zlib
from typing import Any

import numpy as np

from ..ground.dtypes import of_numpy


def _table() -> list[int]:
    rows = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        rows.append(n)
    return rows


_CRC = _table()


def checksum(data: bytes) -> int:
    """The masked CRC-32C of ``data``."""
    crc = 0xFFFFFFFF
    table = _CRC
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """``data`` as a record of a file."""
    length = struct.pack("<Q", len(data))
    return b"".join([length, struct.pack("<I", checksum(length)), data, struct.pack("<I", checksum(data))])


# -- protocol buffers -----------------------------------------------------------------------------------------------------


def varint(n: int) -> bytes:
    """A non-negative integer, seven bits in a byte."""
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number: int, value: Any) -> bytes:
    """A field: an int, a float (as a double), or bytes (of a string or a message)."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(a: Any) -> bytes:
    """A TensorProto of an array, bytes, or a list of bytes."""
    if isinstance(a, bytes):
        return field(1, 7) + field(2, b"") + field(8, a)
    if isinstance(a, list):
        return field(1, 7) + field(2, field(2, field(1, len(a)))) + b"".join([field(8, x) for x in a])
    a = np.asarray(a)
    shape = b"".join([field(2, field(1, n)) for n in a.shape])
    return field(1, of_numpy[a.dtype].enum) + field(2, shape) + field(4, a.astype(a.dtype.newbyteorder("<")).tobytes())


def metadata(plugin: str, content: bytes = b"", description: str = "", data_class: int = 0) -> bytes:
    """A SummaryMetadata."""
    data = field(1, field(1, plugin.encode()) + (field(2, content) if content else b""))
    data += field(3, description.encode()) if description else b""
    return data + (field(4, data_class) if data_class else b"")


def value(tag: str, content: Any, about: bytes) -> bytes:
    """A Summary with one value."""
    return field(1, field(1, tag.encode()) + field(8, tensor(content)) + (field(9, about) if about else b""))


def event(step: int | None, kind: int, data: bytes) -> bytes:
    """An Event of now; ``kind`` is 3 for the file's version, 4 for a graph, 5 for a summary."""
    return field(1, time.time()) + (field(2, step) if step else b"") + field(kind, data)


# -- files ----------------------------------------------------------------------------------------------------------------


class EventFile:
    """A new file of events in a folder, which is made if need be."""

    _count = 0
    _lock = threading.Lock()

    def __init__(self, folder: str, suffix: str = ".v2") -> None:
        with EventFile._lock:
            EventFile._count += 1
            name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{EventFile._count}{suffix}"
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, name)
        self._file = open(self.path, "xb")  # noqa: SIM115
        self._own = threading.Lock()
        self.write(event(None, 3, b"brain.Event:2"))

    def write(self, data: bytes) -> None:
        """Append an event."""
        with self._own:
            self._file.write(record(data))

    def flush(self) -> None:
        """Let others read what was written."""
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        """Close the file; again does nothing."""
        self._file.close()


def png(image: np.ndarray) -> bytes:
    """A PNG of an array of height, width and 1 to 4 channels (grey, grey and alpha, RGB, RGBA), uint8 or uint16."""
    height, width, channels = image.shape
    depth = 8 * image.dtype.itemsize
    rows = image.astype(image.dtype.newbyteorder(">")).reshape(height, -1).view(np.uint8)
    raw = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)  # each row unfiltered

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raw.tobytes())), chunk(b"IEND", b"")])  # fmt: skip
