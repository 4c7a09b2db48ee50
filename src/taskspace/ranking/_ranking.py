"""Hit and Ranking: an ordered answer as a value."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, overload

from taskspace._extras import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from taskspace.embedding import Kind


@dataclass(frozen=True)
class Hit:
    """One candidate: ``score`` means what the ranking's ``measure`` says, ``rank`` counts from 1."""

    name: str
    kind: Kind
    score: float
    provenance: Mapping[str, Any] = field(hash=False)
    content: str
    rank: int


@dataclass(frozen=True)
class Ranking:
    """Candidates for ``target``, best first.

    ``measure`` says what a score is and what it is not; ``notes`` what was left out, put last or tied.
    Iterating gives hits, an integer index one :class:`Hit`, a slice a ranking again (ranks stay).
    """

    target: str
    hits: tuple[Hit, ...]
    measure: str
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> Ranking: ...
    def __getitem__(self, index: int | slice) -> Hit | Ranking:
        if isinstance(index, slice):
            return replace(self, hits=self.hits[index])
        return self.hits[index]

    def top(self, k: int) -> Ranking:
        """The best ``k``, or all when there are fewer."""
        return self[: max(k, 0)]

    def __str__(self) -> str:
        widths = [max((len(cell) for cell in column), default=0) for column in zip(*self._cells(), strict=True)]
        lines = [
            f"{rank:>{widths[0]}}  {score:>{widths[1]}}  {kind:<{widths[2]}}  {name}"
            for rank, score, kind, name in self._cells()
        ]
        head = f"nearest to {self.target!r}" if lines else f"nothing to rank for {self.target!r}"
        return "\n".join([head, *lines, f"score: {self.measure}", *(f"note: {note}" for note in self.notes)])

    def _cells(self) -> list[tuple[str, str, str, str]]:
        return [(str(hit.rank), f"{hit.score:.4f}", hit.kind, hit.name) for hit in self.hits]

    def to_dict(self) -> dict[str, Any]:
        """Plain values that ``json.dumps`` takes."""
        hits = [
            {
                "rank": hit.rank, "name": hit.name, "kind": hit.kind, "score": hit.score,
                "content": hit.content, "provenance": dict(hit.provenance),
            }
            for hit in self.hits
        ]  # fmt: skip
        return {"target": self.target, "measure": self.measure, "notes": list(self.notes), "hits": hits}

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table``, one row per hit; ``provenance`` is JSON text, ``measure`` rides as metadata."""
        pa = require("pyarrow", extra="parquet", why="Ranking.to_arrow")
        text = {"name", "kind", "content", "provenance"}
        types = {"rank": pa.int64(), "score": pa.float64()}
        columns = self._columns()
        schema = pa.schema([(key, pa.string() if key in text else types[key]) for key in columns])
        return pa.table(columns, schema=schema.with_metadata({"target": self.target, "measure": self.measure}))

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` with the columns of :meth:`to_arrow`."""
        return require("pandas", extra="frames", why="Ranking.to_pandas").DataFrame(self._columns())

    def to_polars(self) -> Any:
        """A ``polars.DataFrame`` with the columns of :meth:`to_arrow`."""
        return require("polars", extra="frames", why="Ranking.to_polars").DataFrame(self._columns())

    def _columns(self) -> dict[str, list[Any]]:
        return {
            "rank": [hit.rank for hit in self.hits],
            "name": [hit.name for hit in self.hits],
            "kind": [hit.kind for hit in self.hits],
            "score": [hit.score for hit in self.hits],
            "content": [hit.content for hit in self.hits],
            "provenance": [json.dumps(dict(hit.provenance)) for hit in self.hits],
        }
