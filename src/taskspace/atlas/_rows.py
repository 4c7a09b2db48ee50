"""The statements: values in and out of the tables, within a transaction of the caller."""

from __future__ import annotations

import gzip
import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from taskspace.embedding import Blocks, Kind, SpaceId, TaskEmbedding
from taskspace.errors import AtlasError, SettingError
from taskspace.ranking.history.rows import USUAL_METRIC
from taskspace.task import Pool

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.ranking.history import Row as MeasuredRow


class SpaceRow(NamedTuple):
    """A space as stored; ``generation`` names one state of its embeddings."""

    id: int
    identity: SpaceId
    options: dict[str, Any]
    blocks: Blocks
    generation: str


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


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def plain_json(value: Mapping[str, Any], what: str) -> str:
    try:
        return json.dumps(dict(value))
    except (TypeError, ValueError) as error:
        raise AtlasError(f"{what} cannot be stored as JSON ({error}); give plain values only") from error


def all_spaces(connection: sqlite3.Connection) -> list[SpaceRow]:
    rows = connection.execute("SELECT id, identity, options, blocks, generation FROM spaces ORDER BY id")
    return [
        SpaceRow(key, SpaceId.from_dict(json.loads(identity)), json.loads(options), _blocks(blocks), generation)
        for key, identity, options, blocks, generation in rows
    ]


def put_space(connection: sqlite3.Connection, space: SpaceId) -> int:
    """The key of the space, added if it is new."""
    connection.execute(
        "INSERT INTO spaces (fingerprint, identity) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (space.fingerprint, json.dumps(space.to_dict())),
    )
    found = connection.execute("SELECT id FROM spaces WHERE fingerprint = ?", (space.fingerprint,)).fetchone()
    return int(found[0])


def touch(connection: sqlite3.Connection, space: int) -> None:
    """Give the space a new generation: what was computed from its embeddings is stale."""
    connection.execute("UPDATE spaces SET generation = lower(hex(randomblob(8))) WHERE id = ?", (space,))


def has_pool(connection: sqlite3.Connection, fingerprint: str) -> bool:
    return connection.execute("SELECT 1 FROM pools WHERE fingerprint = ?", (fingerprint,)).fetchone() is not None


def put_pool(connection: sqlite3.Connection, fingerprint: str, packed: bytes) -> None:
    connection.execute("INSERT INTO pools VALUES (?, ?) ON CONFLICT DO NOTHING", (fingerprint, packed))


def pack_pool(pool: Pool) -> bytes:
    rows = zip(pool.inputs.texts, pool.inputs.pairs, strict=True)
    return gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), mtime=0)


def get_pool(connection: sqlite3.Connection, fingerprint: str) -> Pool | None:
    found = connection.execute("SELECT rows FROM pools WHERE fingerprint = ?", (fingerprint,)).fetchone()
    if found is None:
        return None
    rows: list[tuple[str, str | None]] = [json.loads(line) for line in gzip.decompress(found[0]).splitlines()]
    return Pool([text for text, _ in rows], [pair for _, pair in rows])


def put(
    connection: sqlite3.Connection, space: int, embedding: TaskEmbedding, provenance: str, *, replace: bool
) -> None:
    """Store one embedding; refuses other blocks than the space's, and to overwrite what it should not."""
    _require_blocks(connection, space, embedding)
    held = connection.execute(
        "SELECT kind FROM embeddings WHERE space = ? AND name = ?", (space, embedding.name)
    ).fetchone()
    if held is not None and (held[0] != embedding.kind or not replace):
        raise AtlasError(
            f"there is already a {held[0]} named {embedding.name!r}; give this {embedding.kind} another name"
            " or remove that one"
        )
    connection.execute(
        "INSERT INTO embeddings (space, name, kind, content, informative, added, provenance, vector)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (space, name) DO UPDATE SET content = excluded.content,"
        " informative = excluded.informative, added = excluded.added, provenance = excluded.provenance,"
        " vector = excluded.vector",
        (
            space, embedding.name, embedding.kind, embedding.content, embedding.informative, now(), provenance,
            embedding.vector.astype("<f4", copy=False).tobytes(),
        ),
    )  # fmt: skip


def find(connection: sqlite3.Connection, name: str) -> list[tuple[int, int]]:
    """(embedding key, space key) of each embedding of that name."""
    rows = connection.execute("SELECT id, space FROM embeddings WHERE name = ? ORDER BY space", (name,))
    return [(int(key), int(space)) for key, space in rows]


def load(connection: sqlite3.Connection, key: int, space: SpaceRow) -> TaskEmbedding:
    name, kind, content, provenance, blob = connection.execute(
        "SELECT name, kind, content, provenance, vector FROM embeddings WHERE id = ?", (key,)
    ).fetchone()
    return TaskEmbedding(name, kind, space.identity, unpack(blob), space.blocks, content, json.loads(provenance))


def rows_of(connection: sqlite3.Connection, space: int) -> list[Row]:
    """One row per embedding of the space, in the order of :func:`vectors_of`."""
    found = connection.execute(
        "SELECT name, kind, content, informative, provenance FROM embeddings WHERE space = ? ORDER BY id", (space,)
    )
    return [Row._make(row) for row in found]


def vectors_of(connection: sqlite3.Connection, space: int) -> Iterator[NDArray[np.float32]]:
    """float32[d] per embedding, read one at a time."""
    for (blob,) in connection.execute("SELECT vector FROM embeddings WHERE space = ? ORDER BY id", (space,)):
        yield unpack(blob)


def unpack(blob: bytes) -> NDArray[np.float32]:
    return np.frombuffer(blob, dtype="<f4")


def _blocks(stored: str) -> Blocks:
    return tuple((str(name), int(size)) for name, size in json.loads(stored))


def _require_blocks(connection: sqlite3.Connection, space: int, embedding: TaskEmbedding) -> None:
    """All vectors of a space have the same blocks; the first one sets them."""
    stored = _blocks(connection.execute("SELECT blocks FROM spaces WHERE id = ?", (space,)).fetchone()[0])
    if stored == embedding.blocks:
        return
    if connection.execute("SELECT 1 FROM embeddings WHERE space = ? LIMIT 1", (space,)).fetchone() is not None:
        held, given = (f"{sum(size for _, size in b)} numbers in {len(b)} blocks" for b in (stored, embedding.blocks))
        raise AtlasError(f"{embedding.name!r} has {given}, but its space holds vectors of {held}; embed it again there")
    connection.execute("UPDATE spaces SET blocks = ? WHERE id = ?", (json.dumps(embedding.blocks), space))


class Noted(NamedTuple):
    """A measured transfer as it is stored."""

    source: str
    target: str
    score: float
    baseline: float | None
    metric: str
    seed: int | None


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


def note(connection: sqlite3.Connection, rows: Sequence[Noted], *, again: bool) -> int:
    """Add measured transfers; those that are there, equal in everything, only ``again``.  How many were added."""
    there: set[tuple[Any, ...]] = set()
    if not again:
        there.update(connection.execute("SELECT source, target, score, baseline, metric, seed FROM transfers"))
    new = list(rows) if again else [row for row in dict.fromkeys(rows) if row not in there]
    connection.executemany(
        "INSERT INTO transfers (source, target, score, baseline, metric, seed, noted) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*row, now()) for row in new],
    )
    return len(new)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_finite(value: Any) -> bool:
    """Whether it is a finite number, of whatever package; a ``bool`` is none."""
    try:
        return not isinstance(value, bool) and math.isfinite(value)
    except (TypeError, ValueError, OverflowError):
        return False


def _is_whole(value: Any) -> bool:
    """Whether it is a whole number that SQLite can hold."""
    return _is_finite(value) and value == int(value) and -(2**63) <= int(value) < 2**63
