"""Which tables an atlas has, and their columns.

A space's vectors are a table of their own, named after the space and their length; ``place`` orders rows by age:
nanoseconds since 1970, kept when a row is replaced, and ``written`` says when it was last.  The names of ``KEYS`` are
what LanceDB watches when two writers insert at once: the second sees the first one's row, and takes its place instead
of standing beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskspace.atlas._stored import SpaceRow

FORMAT = 1
"""Goes up when an older taskspace could not read the tables."""

ABOUT, SPACES, POOLS, TRANSFERS = "about", "spaces", "pools", "transfers"
KEYS = {ABOUT: "uuid", SPACES: "fingerprint", POOLS: "fingerprint", TRANSFERS: "id"}
_KEY = {"lance-schema:unenforced-primary-key": "true"}


def vectors_table(space: SpaceRow) -> str:
    return f"vectors_{space.fingerprint[:32]}_{space.dims}"


def key_of(table: str) -> str:
    return KEYS.get(table, "name")


def schema_of(pa: Any, table: str) -> Any:
    """The Arrow schema of a table; the length of vectors is told by its name."""
    key = pa.field(key_of(table), pa.string(), nullable=False, metadata=_KEY)
    text, place = pa.string(), pa.field("place", pa.int64(), nullable=False)
    columns = {
        ABOUT: [key, ("format", pa.int64())],
        SPACES: [key, place, ("identity", text), ("options", text), ("blocks", text)],
        POOLS: [key, ("rows", pa.large_binary())],
        TRANSFERS: [
            key, place, ("source", text), ("target", text), ("score", pa.float64()), ("baseline", pa.float64()),
            ("metric", text), ("seed", pa.int64()), ("noted", text),
        ],
    }  # fmt: skip
    if table in columns:
        return pa.schema(columns[table])
    vector = pa.list_(pa.float32(), int(table.rpartition("_")[2]))
    return pa.schema([
        key, place, ("written", pa.int64()), ("kind", text), ("content", text), ("informative", pa.bool_()),
        ("added", text), ("provenance", text), ("norm", pa.float64()), ("vector", vector),
    ])  # fmt: skip
