"""Transfers and pools as Parquet, and what all tables of a repository have in common."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.atlas import Transfer
from taskspace.errors import AtlasError, TaskspaceError
from taskspace.hub._client import in_words
from taskspace.task import Pool

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from taskspace.hub._manifest import PoolPart


def write_transfers(path: Path, transfers: Sequence[Transfer]) -> None:
    """Write the measured transfers, in the order in which they were noted."""
    pa, parquet = pyarrow()
    schema = _transfer_schema(pa)
    columns = {name: [getattr(row, name) for row in transfers] for name in schema.names}
    parquet.write_table(pa.table(columns, schema=schema), path)


def read_transfers(path: Path, rows: int, what: str) -> list[Transfer]:
    """What :func:`write_transfers` wrote.

    Raises :class:`AtlasError` for a file that is no Parquet, has other columns or rows than ``rows``, or a transfer
    without a name, a finite score or a time.
    """
    with reading(path, _transfer_schema(pyarrow()[0]), rows, what) as file:
        found = [Transfer(**row) for row in file.read().to_pylist()]
        for row in found:
            numbers = [row.score] if row.baseline is None else [row.score, row.baseline]
            if not np.isfinite(numbers).all() or not (row.source.strip() and row.target.strip() and row.metric.strip()):
                raise ValueError(f"the transfer of {row.source!r} on {row.target!r} lacks a number or a name")
            moment(row.noted)
    return found


def write_pool(path: Path, pool: Pool) -> None:
    """Write the texts of a pool, a row each, in their order: as Parquet like all else, since a viewer reads one format.

    Raises :class:`AtlasError` for a text that is no Unicode.
    """
    pa, parquet = pyarrow()
    try:
        parquet.write_table(pa.table([list(pool.inputs.texts), list(pool.inputs.pairs)], schema=_pool_schema(pa)), path)
    except UnicodeEncodeError as error:
        raise AtlasError(
            "a text of the pool holds half a surrogate pair, which no file of texts can; push without the pool"
        ) from error


def read_pool(path: Path, part: PoolPart, what: str) -> Pool:
    """What :func:`write_pool` wrote; raises as :func:`read_transfers` does, and for other texts than ``part`` says."""
    with reading(path, _pool_schema(pyarrow()[0]), part.rows, what) as file:
        table = file.read()
        pool = Pool(table["text"].to_pylist(), table["text_pair"].to_pylist())
        if pool.fingerprint != part.fingerprint:
            raise ValueError(f"its texts are not those of the pool {part.fingerprint[:12]}")
    return pool


def pyarrow() -> tuple[Any, Any]:
    """``pyarrow`` and ``pyarrow.parquet``, imported late."""
    why = "an atlas on the Hub"
    return require("pyarrow", extra="hub", why=why), require("pyarrow.parquet", extra="hub", why=why)


def _pool_schema(pa: Any) -> Any:
    return pa.schema([pa.field("text", pa.string(), nullable=False), pa.field("text_pair", pa.string())])


def _transfer_schema(pa: Any) -> Any:
    return pa.schema(
        [
            pa.field("source", pa.string(), nullable=False),
            pa.field("target", pa.string(), nullable=False),
            pa.field("score", pa.float64(), nullable=False),
            pa.field("baseline", pa.float64()),
            pa.field("metric", pa.string(), nullable=False),
            pa.field("seed", pa.int64()),
            pa.field("noted", pa.string(), nullable=False),
        ]
    )


@contextmanager
def reading(path: Path, schema: Any, rows: int, what: str) -> Generator[Any]:
    """The open Parquet file; whatever turns out to be wrong with it is one sentence."""
    pa, parquet = pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            found = {field.name: field.type for field in file.schema_arrow}
            if found != {field.name: field.type for field in schema}:
                raise ValueError(
                    f"its columns are {', '.join(found)}, not {', '.join(schema.names)} of the usual types"
                )
            if file.metadata.num_rows != rows:
                raise ValueError(f"it has {file.metadata.num_rows} rows, {rows} are said")
            yield file
    except (pa.ArrowException, OSError, ValueError, TypeError, AttributeError, RecursionError, TaskspaceError) as error:
        raise AtlasError(
            f"{what} is damaged ({in_words(error)}); pull another revision, or have it pushed again"
        ) from error


def moment(said: str) -> str:
    """A time with its zone, as it was written."""
    if datetime.fromisoformat(said).tzinfo is None:
        raise ValueError(f"{said!r} has no time zone")
    return said
