"""What an atlas tells about its contents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.embedding import Kind


@dataclass(frozen=True)
class Entry:
    """An embedding without its ``dims`` numbers; ``space`` is the fingerprint, ``added`` UTC in ISO 8601."""

    name: str
    kind: Kind
    space: str
    content: str
    added: str
    provenance: Mapping[str, Any] = field(hash=False)
    dims: int


@dataclass(frozen=True)
class Transfer:
    """One measured transfer: ``score`` on ``target`` starting from ``source``, ``baseline`` without it."""

    source: str
    target: str
    score: float
    baseline: float | None
    metric: str
    seed: int | None
    noted: str
