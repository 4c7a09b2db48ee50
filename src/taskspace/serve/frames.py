"""What the service and the process that embeds say to each other: JSON, and bytes where there are any."""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

_SIZES = struct.Struct(">II")
SIZES = _SIZES.size


def packed(message: dict[str, Any], data: bytes = b"") -> bytes:
    """The lengths of both, then both."""
    head = json.dumps(message).encode("ascii")
    return _SIZES.pack(len(head), len(data)) + head + data


def sizes_of(start: bytes) -> tuple[int, int]:
    """The two lengths in the first :data:`SIZES` bytes."""
    return _SIZES.unpack(start)


def read(stream: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """The next message and its bytes; raises :class:`EOFError` when nobody is at the other end any more."""
    head, data = sizes_of(_exactly(stream, SIZES))
    return json.loads(_exactly(stream, head)), _exactly(stream, data)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    read = stream.read(count)
    if len(read) < count:
        raise EOFError
    return read
