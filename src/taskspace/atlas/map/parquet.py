"""The map as a Parquet file for viewers of embeddings, Apple's embedding-atlas among them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace._files import replacing
from taskspace.atlas.map._directions import Directions
from taskspace.atlas.map._kept import neighbours_of
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from taskspace.atlas._stored import Row
    from taskspace.atlas.map._map import Map
    from taskspace.atlas.matrix import Matrix

_BATCH = 1024


def write_map(chart: Map, matrix: Matrix, path: Path, *, neighbours: int = 10) -> Path:
    """Write a row per point of ``chart``, which must be a map of ``matrix``; whole or not at all.

    ``x``, ``y``, a ``text`` that tells what it is, its ``name``, ``kind``, ``family`` (null for none), whether it is
    ``informative``, and ``neighbors``: a struct of ``ids``, places among the rows of the file, and ``distances``, which
    are 1 minus the cosine, nearest first; empty lists for what says nothing.  How the map was made, and what it keeps,
    is in the schema's metadata under ``taskspace``.

    Every pair is compared for the neighbours.  Raises :class:`MissingExtra` without pyarrow, :class:`AtlasError` where
    the file cannot be written.
    """
    why = "export to Parquet"
    pa, parquet = require("pyarrow", extra="parquet", why=why), require("pyarrow.parquet", extra="parquet", why=why)
    schema = _schema(pa, chart)
    rows = _rows(chart, matrix, neighbours)
    try:
        with replacing(path) as partial, partial.open("wb") as file, parquet.ParquetWriter(file, schema) as writer:
            while batch := [row for _, row in zip(range(_BATCH), rows, strict=False)]:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    except OSError as error:
        raise AtlasError(f"cannot write {path} ({error.strerror or error}); choose another place") from error
    return path


def _schema(pa: Any, chart: Map) -> Any:
    near = pa.struct([("ids", pa.list_(pa.int64())), ("distances", pa.list_(pa.float32()))])
    types = {"x": pa.float32(), "y": pa.float32(), "informative": pa.bool_(), "neighbors": near}
    columns = ("x", "y", "text", "name", "kind", "family", "informative", "neighbors")
    schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
    about = {
        "method": chart.method, "kept": chart.kept, "kept_of": chart.kept_of, "neighbours": chart.neighbours,
        "explained": chart.explained, "generation": chart.generation,
    }  # fmt: skip
    return schema.with_metadata({"taskspace": json.dumps({"format": 1, "map": about})})


def _rows(chart: Map, matrix: Matrix, neighbours: int) -> Iterator[dict[str, Any]]:
    place = {row.name: i for i, row in enumerate(matrix.rows)}
    told = np.flatnonzero(chart.informative)
    telling = Directions(matrix, np.array([place[chart.names[i]] for i in told], dtype=np.intp))
    near = neighbours_of(telling, neighbours)
    for i, name in enumerate(chart.names):
        row, family = matrix.rows[place[name]], int(chart.family[i])
        ids, cosines = next(near) if chart.informative[i] else (np.zeros(0, dtype=np.intp), np.zeros(0))
        yield {
            "x": float(chart.points[i, 0]), "y": float(chart.points[i, 1]), "text": text_of(row), "name": name,
            "kind": row.kind, "family": chart.families[family].name if family >= 0 else None,
            "informative": bool(chart.informative[i]),
            "neighbors": {"ids": told[ids].tolist(), "distances": (1.0 - cosines).tolist()},
        }  # fmt: skip


def text_of(row: Row) -> str:
    """Name and kind, and a line of where it comes from."""
    about = row.provenance
    rows, classes = about.get("input_rows"), about.get("classes")
    facts = [
        str(about.get("description") or about.get("source") or ""),
        f"{rows:,} rows" if isinstance(rows, int) else "",
        f"{classes:,} classes" if isinstance(classes, int) else "",
        "" if row.informative else "says nothing",
    ]
    return "\n".join(line for line in (f"{row.name} ({row.kind})", " · ".join(fact for fact in facts if fact)) if line)
