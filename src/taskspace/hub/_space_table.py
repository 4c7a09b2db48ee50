"""Embeddings as Parquet: float32 to the bit, some rows at a time, read back believing nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.atlas._stored import Record, to_record
from taskspace.embedding import TaskEmbedding
from taskspace.hub._tables import moment, pyarrow, reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.hub._manifest import SpacePart

GROUP_BYTES = 16_000_000
"""Of vectors in a row group: what a reader or the Hub's viewer has to hold at once."""


def rows_at_once(dims: int) -> int:
    """How many vectors of so many numbers are held at once."""
    return max(1, GROUP_BYTES // max(1, 4 * dims))


def write_space(path: Path, fingerprint: str, records: Iterable[Record], dims: int) -> None:
    """Write the embeddings of one space, in the order given."""
    pa, parquet = pyarrow()
    schema = _schema(pa)
    # No two numbers of a vector are alike, so a dictionary of them would only be built and thrown away.
    with parquet.ParquetWriter(path, schema, use_dictionary=["kind", "space"], write_statistics=False) as writer:
        for group in _in_groups(records, rows_at_once(dims)):
            columns: dict[str, Any] = dict(zip(Record._fields, zip(*group, strict=True), strict=True))
            offsets = np.cumsum([0, *map(len, columns["vector"])], dtype=np.int32)
            numbers = pa.array(np.concatenate(columns["vector"]), pa.float32())
            columns["vector"] = pa.ListArray.from_arrays(offsets, numbers)
            columns["space"] = [fingerprint] * len(group)
            columns["informative"] = [bool(said) for said in columns["informative"]]
            writer.write_table(pa.table({name: columns[name] for name in schema.names}, schema=schema))


def read_space(path: Path, part: SpacePart, what: str) -> Iterator[Record]:
    """Each embedding with the time at which it was added, in the order of the file.

    Raises :class:`AtlasError` for a file that is no Parquet, has other columns or rows than ``part`` says, holds a
    vector of another length or a number that is not finite, a name twice, or a time that is none.
    """
    with reading(path, _schema(pyarrow()[0]), part.count, what) as file:
        seen: set[str] = set()
        for batch in file.iter_batches(batch_size=rows_at_once(part.dims)):
            vectors = _vectors(batch.column("vector"), part.dims)
            rows = batch.select(["name", "kind", "space", "content", "added", "provenance"]).to_pylist()
            for row, vector in zip(rows, vectors, strict=True):
                if row["name"] in seen:
                    raise ValueError(f"{row['name']!r} stands there twice")
                seen.add(row["name"])
                yield _record(row, vector, part)


def _record(row: Mapping[str, Any], vector: NDArray[np.float32], part: SpacePart) -> Record:
    """The row as an atlas stores it, once an embedding could be made of it."""
    if row["space"] != part.identity.fingerprint:
        raise ValueError(f"{row['name']!r} lives in another space")
    if not row["name"].strip() or row["content"] is None:
        raise ValueError("a row has no name or no content")
    provenance = json.loads(row["provenance"])
    if not isinstance(provenance, dict):
        raise ValueError(f"the provenance of {row['name']!r} is no object")
    made = TaskEmbedding(row["name"], row["kind"], part.identity, vector, part.blocks, row["content"], provenance)
    return to_record(made)._replace(added=moment(row["added"]))


def _vectors(column: Any, dims: int) -> NDArray[np.float32]:
    """float32[n, d] of a list column, no number of which may be missing."""
    numbers = column.flatten()
    if column.null_count or numbers.null_count or len(numbers) != len(column) * dims:
        raise ValueError(f"not every vector has {dims} numbers")
    if len(column) and np.any(np.diff(column.offsets.to_numpy()) != dims):
        raise ValueError(f"not every vector has {dims} numbers")
    return numbers.to_numpy().reshape(len(column), dims)


def _schema(pa: Any) -> Any:
    text = pa.string()
    return pa.schema(
        [
            pa.field("name", text, nullable=False),
            pa.field("kind", text, nullable=False),
            pa.field("space", text, nullable=False),
            pa.field("content", text, nullable=False),
            pa.field("added", text, nullable=False),
            pa.field("informative", pa.bool_(), nullable=False),
            pa.field("provenance", text, nullable=False),
            pa.field("vector", pa.list_(pa.float32()), nullable=False),
        ]
    )


def _in_groups(rows: Iterable[Record], size: int) -> Iterator[list[Record]]:
    group: list[Record] = []
    for row in rows:
        group.append(row)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
