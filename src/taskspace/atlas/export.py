"""An atlas as one Parquet file, for other tools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace._files import replacing
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from taskspace.atlas._store import View
    from taskspace.atlas._stored import Record, SpaceRow

_BATCH = 256
_COLUMNS = ("name", "kind", "space", "content", "added", "vector", "provenance")
_TEXTS = [name for name in _COLUMNS if name != "vector"]


def write_parquet(view: View, path: Path, spaces: Sequence[SpaceRow]) -> Path:
    """Write the embeddings of ``spaces``, some rows at a time; an older file stays unless all goes well.

    The schema's metadata holds each space's identity as JSON under ``taskspace``.
    """
    why = "export to Parquet"
    pa, parquet = require("pyarrow", extra="parquet", why=why), require("pyarrow.parquet", extra="parquet", why=why)
    types = {"vector": pa.list_(pa.float32())}
    identities = {space.fingerprint: space.identity.to_dict() for space in spaces}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in _COLUMNS])
    schema = schema.with_metadata({"taskspace": json.dumps({"format": 1, "spaces": identities})})
    try:
        with replacing(path) as partial, parquet.ParquetWriter(partial, schema) as writer:
            for batch in _batches(view, spaces):
                writer.write_table(pa.table(_arrays(pa, batch), schema=schema))
    except OSError as error:
        raise AtlasError(f"cannot write {path} ({error.strerror or error}); choose another place") from error
    return path


def _batches(view: View, spaces: Sequence[SpaceRow]) -> Iterator[list[tuple[str, Record]]]:
    """Records beside the fingerprint of their space."""
    for space in spaces:
        for records in view.records(space, _BATCH):
            yield [(space.fingerprint, record) for record in records]


def _arrays(pa: Any, batch: list[tuple[str, Record]]) -> list[Any]:
    vectors = [record.vector for _, record in batch]
    offsets = np.cumsum([0, *map(len, vectors)], dtype=np.int32)
    arrays = {name: pa.array([getattr(record, name, place) for place, record in batch], pa.string()) for name in _TEXTS}
    arrays["vector"] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(vectors), pa.float32()))
    return [arrays[name] for name in _COLUMNS]
