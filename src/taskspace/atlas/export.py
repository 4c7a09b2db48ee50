"""An atlas as one Parquet file, for other tools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace._files import replacing
from taskspace.atlas._rows import SpaceRow, unpack
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BATCH = 256
_COLUMNS = ("name", "kind", "space", "content", "added", "vector", "provenance")


def write_parquet(connection: sqlite3.Connection, path: Path, spaces: Sequence[SpaceRow]) -> Path:
    """Write the embeddings of ``spaces``, some rows at a time; an older file stays unless all goes well.

    The schema's metadata holds each space's identity as JSON under ``taskspace``.
    """
    why = "export to Parquet"
    pa, parquet = require("pyarrow", extra="parquet", why=why), require("pyarrow.parquet", extra="parquet", why=why)
    types = {"vector": pa.list_(pa.float32())}
    identities = {space.identity.fingerprint: space.identity.to_dict() for space in spaces}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in _COLUMNS])
    schema = schema.with_metadata({"taskspace": json.dumps({"format": 1, "spaces": identities})})
    try:
        with replacing(path) as partial, parquet.ParquetWriter(partial, schema) as writer:
            for batch in _batches(connection, spaces):
                writer.write_table(pa.table(_arrays(pa, batch), schema=schema))
    except OSError as error:
        raise AtlasError(f"cannot write {path} ({error.strerror or error}); choose another place") from error
    return path


def _batches(connection: sqlite3.Connection, spaces: Sequence[SpaceRow]) -> Iterator[list[tuple[Any, ...]]]:
    for space in spaces:
        cursor = connection.execute(
            "SELECT name, kind, ?, content, added, vector, provenance FROM embeddings WHERE space = ? ORDER BY id",
            (space.identity.fingerprint, space.id),
        )
        while batch := cursor.fetchmany(_BATCH):
            yield batch


def _arrays(pa: Any, batch: list[tuple[Any, ...]]) -> list[Any]:
    columns = dict(zip(_COLUMNS, zip(*batch, strict=True), strict=True))
    vectors = [unpack(blob) for blob in columns.pop("vector")]
    offsets = np.cumsum([0, *map(len, vectors)], dtype=np.int32)
    arrays = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    arrays["vector"] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(vectors), pa.float32()))
    return [arrays[name] for name in _COLUMNS]
