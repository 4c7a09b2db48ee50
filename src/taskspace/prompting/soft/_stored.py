"""Safetensors files read into float32 tables, with what their header says."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from numpy.typing import NDArray

_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


@dataclass(frozen=True, eq=False)
class Stored:
    """``tensors`` by name, floating ones only; ``metadata`` the file's texts; ``header`` our own JSON, {} if absent."""

    tensors: dict[str, NDArray[np.float32]]
    metadata: dict[str, str]
    header: dict[str, Any]


@contextmanager
def parsed(path: str | Path) -> Generator[None]:
    """What goes wrong while fields are taken from a header is one sentence about the file."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PromptError(f"the header of {path} is damaged ({type(error).__name__}: {error}); save it anew") from error


def open_tensors(path: Path) -> Stored:
    """Read a safetensors file whole; bfloat16, which numpy lacks, is widened exactly."""
    from safetensors import SafetensorError, deserialize

    try:
        data = path.read_bytes()
        found = deserialize(data)
        size = int.from_bytes(data[:8], "little")
        metadata: dict[str, str] = json.loads(data[8 : 8 + size]).get("__metadata__", {})
    except FileNotFoundError as error:
        raise PromptError(f"there is no file {path}; check the path") from error
    except OSError as error:
        raise PromptError(f"cannot read {path}: {error.strerror}; check the path") from error
    except (SafetensorError, ValueError) as error:
        raise PromptError(f"{path} is not a whole safetensors file ({error}); fetch or save it again") from error
    tensors = {name: table for name, entry in found if (table := _floats(entry)) is not None}
    return Stored(tensors, metadata, _header(path, metadata))


def _floats(entry: dict[str, Any]) -> NDArray[np.float32] | None:
    raw, shape = bytes(entry["data"]), entry["shape"]
    if entry["dtype"] == "BF16":  # the upper half of a float32
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if entry["dtype"] not in _FLOATS:
        return None
    with np.errstate(over="ignore"):
        return np.frombuffer(raw, _FLOATS[entry["dtype"]]).astype(np.float32).reshape(shape)


def _header(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    if "taskspace" not in metadata:
        return {}
    with parsed(path):
        header = dict(json.loads(metadata["taskspace"]))
        if header["format"] != 1:
            raise PromptError(f"{path} has format {header['format']}, this version reads 1; upgrade taskspace")
        return header
