"""Hit and Ranking: an ordered answer as a value."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, overload

from taskspace._extras import require
from taskspace._plain import finite
from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from taskspace.embedding import Kind
    from taskspace.ranking._gain import Gain


DO_NOT_TRANSFER = "do not transfer"
"""The candidate that stands for starting from the plain model."""

LEVEL_PART = "level"
"""The part of a predicted gain that no signal adds: what sources add on average."""

_GAIN = ("gain", "low", "high", "helps")
"""Columns of a predicted gain, null while uncalibrated."""


@dataclass(frozen=True)
class Hit:
    """One candidate: ``score`` means what the ranking's ``measure`` says, ``rank`` counts from 1.

    ``gain`` is predicted where transfers were observed.  ``signals`` are what it was read off from, in their own
    units, and ``parts`` what each of them adds to the prediction, :data:`LEVEL_PART` among them where it is a gain.
    Not transferring is of kind "none".
    """

    name: str
    kind: Kind | Literal["none"]
    score: float
    provenance: Mapping[str, Any] = field(hash=False)
    content: str
    rank: int
    gain: Gain | None = None
    signals: Mapping[str, float] = field(default_factory=dict[str, float], hash=False)
    parts: Mapping[str, float] = field(default_factory=dict[str, float], hash=False)


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

    @property
    def calibrated(self) -> bool:
        """Whether scores are predicted gains."""
        return any(hit.gain is not None for hit in self.hits)

    def explain(self, first: int = 0, second: int = 1) -> str:
        """Why one hit stands before another: what each signal adds to the one and to the other, largest gap first.

        The gaps add up to that of the scores.  Raises :class:`DataError` where there are no two such hits, or one of
        them was not read off from signals.
        """
        if not (0 <= first < len(self) and 0 <= second < len(self)) or first == second:
            raise DataError(
                f"the ranking has {len(self)} hits, so {first} and {second} cannot be compared; give others"
            )
        return explained(self.hits[first], self.hits[second], calibrated=self.calibrated)

    def __str__(self) -> str:
        cells = self._cells()
        widths = [max((len(cell) for cell in column), default=0) for column in zip(*cells, strict=True)]
        lines = ["  ".join(_aligned(row, widths)).rstrip() for row in cells]
        near = f"predicted for {self.target!r}" if self.calibrated else f"nearest to {self.target!r}"
        head = near if self.hits else f"nothing to rank for {self.target!r}"
        return "\n".join([head, *lines, f"score: {self.measure}", *(f"note: {note}" for note in self.notes)])

    def _cells(self) -> list[tuple[str, ...]]:
        """Rank, score, kind and name; with gains the interval and the chance to help as well."""
        if not self.calibrated:
            return [(str(hit.rank), f"{hit.score:.4f}", hit.kind, hit.name) for hit in self.hits]
        return [
            (str(h.rank), f"{h.score:+.4f}", *_interval(h.gain), "" if h.kind == "none" else h.kind, h.name)
            for h in self.hits
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values that ``json.dumps`` takes; None for NaN and infinity, which JSON does not have."""
        hits = [
            {
                "rank": hit.rank, "name": hit.name, "kind": hit.kind, "score": finite(hit.score),
                "gain": None if hit.gain is None else finite(asdict(hit.gain)),
                "signals": finite(hit.signals), "parts": finite(hit.parts),
                "content": hit.content, "provenance": finite(hit.provenance),
            }
            for hit in self.hits
        ]  # fmt: skip
        about = {"target": self.target, "measure": self.measure, "calibrated": self.calibrated}
        return {**about, "notes": list(self.notes), "hits": hits}

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table``, one row per hit; ``provenance`` is JSON text, ``measure`` rides as metadata.

        ``gain`` (the expected one), ``low``, ``high`` and ``helps`` are null where no gain was predicted.
        """
        pa = require("pyarrow", extra="parquet", why="Ranking.to_arrow")
        text = {"name", "kind", "content", "provenance"}
        columns = self._columns()
        types = {"rank": pa.int64(), **dict.fromkeys(text, pa.string())}
        schema = pa.schema([(key, types.get(key, pa.float64())) for key in columns])
        return pa.table(columns, schema=schema.with_metadata({"target": self.target, "measure": self.measure}))

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` with the columns of :meth:`to_arrow`; NaN stands for null."""
        frame = require("pandas", extra="frames", why="Ranking.to_pandas").DataFrame(self._columns())
        return frame.astype(dict.fromkeys(_GAIN, "float64"))

    def to_polars(self) -> Any:
        """A ``polars.DataFrame`` with the columns of :meth:`to_arrow`."""
        pl = require("polars", extra="frames", why="Ranking.to_polars")
        return pl.DataFrame(self._columns(), schema_overrides=dict.fromkeys(_GAIN, pl.Float64))

    def _columns(self) -> dict[str, list[Any]]:
        gains = [hit.gain for hit in self.hits]
        return {
            "rank": [hit.rank for hit in self.hits],
            "name": [hit.name for hit in self.hits],
            "kind": [hit.kind for hit in self.hits],
            "score": [hit.score for hit in self.hits],
            "gain": [gain and gain.mean for gain in gains],
            "low": [gain and gain.low for gain in gains],
            "high": [gain and gain.high for gain in gains],
            "helps": [gain and gain.helps for gain in gains],
            "content": [hit.content for hit in self.hits],
            "provenance": [json.dumps(finite(hit.provenance)) for hit in self.hits],
        }


def explained(first: Hit, second: Hit, *, calibrated: bool) -> str:
    """What each part adds to either hit, the largest difference first; the differences add up to that of the scores."""
    names = list(dict.fromkeys((*first.parts, *second.parts)))
    if not names:
        raise DataError(
            f"{first.name!r} and {second.name!r} were not read off from signals, so nothing tells them apart"
        )
    gaps = {name: first.parts.get(name, 0.0) - second.parts.get(name, 0.0) for name in names}
    told = [name for name in names if name != LEVEL_PART or round(gaps[name], 4)]  # between two sources it cancels out
    unit = "to the predicted gain" if calibrated else "to the score"
    lines = [
        f"  {name}: {_reading(first, second, name)} adds {gaps[name]:+.4f} {unit}"
        for name in sorted(told, key=lambda name: -abs(gaps[name]))
    ]
    if calibrated and "none" in (first.kind, second.kind):
        lines.append(f"  the gain of {DO_NOT_TRANSFER!r} is 0 by definition")
    whole = first.score - second.score
    return "\n".join([f"{first.name!r} is {whole:+.4f} ahead of {second.name!r}:", *lines])


def _reading(first: Hit, second: Hit, name: str) -> str:
    """What stands behind a part: the signal's word on both hits."""
    if name == LEVEL_PART:
        return "what sources add on average here"
    return f"{_read(first, name)} against {_read(second, name)}"


def _read(hit: Hit, name: str) -> str:
    if hit.kind == "none":
        return "nothing"
    value = hit.signals.get(name, math.nan)
    return "not known" if math.isnan(value) else f"{value:.4g}"


def _interval(gain: Gain | None) -> tuple[str, str]:
    if gain is None or gain.low == gain.high:
        return "", ""
    return f"[{gain.low:+.4f}, {gain.high:+.4f}]", f"helps {gain.helps:.0%}"


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Numbers to the right, the last two columns (kind and name) to the left; the name is not padded."""
    numbers = [f"{cell:>{width}}" for cell, width in zip(row[:-2], widths[:-2], strict=True)]
    return [*numbers, f"{row[-2]:<{widths[-2]}}", row[-1]]
