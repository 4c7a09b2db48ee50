"""What passes between the Atlas and its store: plain values, checked and packed before any write begins."""

from __future__ import annotations

import gzip
import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from taskspace.errors import AtlasError, SettingError
from taskspace.ranking.history.rows import USUAL_METRIC
from taskspace.task import Pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from taskspace.embedding import Blocks, Kind, SpaceId, TaskEmbedding
    from taskspace.ranking.history import Row as MeasuredRow


class SpaceRow(NamedTuple):
    """A space as stored; ``generation`` names one state of its embeddings, all of which have these ``blocks``."""

    identity: SpaceId
    options: dict[str, Any]
    blocks: Blocks
    generation: str

    @property
    def fingerprint(self) -> str:
        return self.identity.fingerprint

    @property
    def dims(self) -> int:
        return sum(size for _, size in self.blocks)


class Row(NamedTuple):
    """What ranking needs of an embedding besides its numbers; its provenance is parsed when asked for."""

    name: str
    kind: Kind
    content: str
    informative: bool
    stored: str

    @property
    def provenance(self) -> dict[str, Any]:
        return json.loads(self.stored)


class Record(NamedTuple):
    """All that is stored of one embedding: ``added`` in ISO 8601, ``provenance`` as JSON, ``vector`` float32[d]."""

    name: str
    kind: Kind
    content: str
    informative: bool
    added: str
    provenance: str
    vector: NDArray[np.float32]


class Noted(NamedTuple):
    """A measured transfer as it is stored."""

    source: str
    target: str
    score: float
    baseline: float | None
    metric: str
    seed: int | None


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def to_record(embedding: TaskEmbedding) -> Record:
    """The embedding as it is stored, added now; raises :class:`AtlasError` for what cannot be stored."""
    require_name(embedding.name)
    provenance = plain_json(embedding.provenance, f"the provenance of {embedding.name!r}")
    return Record(
        embedding.name, embedding.kind, embedding.content, embedding.informative, now(), provenance, embedding.vector
    )


def require_name(name: str) -> None:
    if not name.strip():
        raise AtlasError(f"{name!r} is no name; give at least one letter")


def plain_json(value: Mapping[str, Any], what: str) -> str:
    try:
        return json.dumps(dict(value))
    except (TypeError, ValueError) as error:
        raise AtlasError(f"{what} cannot be stored as JSON ({error}); give plain values only") from error


def blocks_of(stored: str) -> Blocks:
    """Blocks from JSON."""
    return tuple((str(name), int(size)) for name, size in json.loads(stored))


def pack_pool(pool: Pool) -> bytes:
    rows = zip(pool.inputs.texts, pool.inputs.pairs, strict=True)
    return gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), mtime=0)


def unpack_pool(packed: bytes) -> Pool:
    rows: list[tuple[str, str | None]] = [json.loads(line) for line in gzip.decompress(packed).splitlines()]
    return Pool([text for text, _ in rows], [pair for _, pair in rows])


def to_note(row: MeasuredRow) -> Noted:
    """The row as it is stored; raises :class:`SettingError` for what is no name, no number or no whole number."""
    for what, name in (("source", row.source), ("target", row.target), ("metric", row.metric or USUAL_METRIC)):
        if not _is_name(name):
            raise SettingError(f"the {what} {name!r} of a transfer is no name; give at least one letter")
    between = f"of {row.source!r} on {row.target!r}"
    for what, value in (("score", row.score), ("baseline", 0.0 if row.baseline is None else row.baseline)):
        if not _is_finite(value):
            raise SettingError(f"the {what} {between} is {value!r}; give a finite number")
    if row.seed is not None and not _is_whole(row.seed):
        raise SettingError(f"the seed {between} is {row.seed!r}; give a whole number below 2**63, or none")
    return Noted(
        row.source, row.target, float(row.score),
        baseline=None if row.baseline is None else float(row.baseline),
        metric=row.metric or USUAL_METRIC,
        seed=None if row.seed is None else int(row.seed),
    )  # fmt: skip


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_finite(value: Any) -> bool:
    """Whether it is a finite number, of whatever package; a ``bool`` is none."""
    try:
        return not isinstance(value, bool) and math.isfinite(value)
    except (TypeError, ValueError, OverflowError):
        return False


def _is_whole(value: Any) -> bool:
    """Whether it is a whole number that 64 bits can hold."""
    return _is_finite(value) and value == int(value) and -(2**63) <= int(value) < 2**63
