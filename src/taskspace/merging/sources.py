"""What a merge reads, and in what state: bytes that no sample of them shows to have changed."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, cast

from taskspace.merging.checkpoint import Checkpoint, InMemory, Weights, named

if TYPE_CHECKING:
    from collections.abc import Iterator


def state(*parts: object) -> str:
    """Names the files behind ``parts`` by path, size and time of writing, and arrays by all of their bytes."""
    read = dict.fromkeys(weights for part in parts for weights in _sources(part))
    return named(*(_state(weights) for weights in read))


def _state(weights: Weights) -> str:
    if isinstance(weights, Checkpoint):
        return f"{weights.files}"
    seen = hashlib.sha256()
    for name, spec in weights.layout.items():
        seen.update(f"{name}{spec}".encode() + weights.stored(name, 0, spec.size).tobytes())
    return seen.hexdigest()


def _sources(part: object) -> Iterator[Weights]:
    """Checkpoints and arrays, wherever they stand in the values that a carrier is made of.

    Factor pairs stand in mappings and are passed over: their own identity is of all their bytes.
    """
    if isinstance(part, (Checkpoint, InMemory)):
        yield part
    elif is_dataclass(part):
        for field in fields(part):
            yield from _sources(getattr(part, field.name))
    elif isinstance(part, tuple):
        for each in cast("tuple[Any, ...]", part):
            yield from _sources(each)
