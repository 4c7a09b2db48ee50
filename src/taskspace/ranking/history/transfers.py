"""The table of measured transfers: what every source was worth on every target it was tried on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from taskspace.errors import DataError, did_you_mean
from taskspace.ranking.history._runs import baselines_of, metrics_of, runs_of, scores_of
from taskspace.ranking.history.rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.ranking.history.rows import Measured

Scalar = TypeVar("Scalar", bound=np.generic)
NO_TRANSFER = "none"
"""The source of a run that starts from nothing: a baseline."""


@dataclass(frozen=True, eq=False)
class Transfers:
    """Measured transfers of one backbone, in the units of their metric, higher is better.

    ``scores`` float64[sources, targets, runs] is NaN where nothing was measured.  ``baseline`` float64[targets, runs]
    is the score without transfer of the same run, NaN where unknown.  A run is a seed: what has the same place on the
    last axis was measured with the same seed.  Targets may be measured in other units than each other, so ``metric``
    is "score" where they are.

    The table keeps the cells of a target that is also a source (:attr:`self_cells`); :attr:`foreign` is without them.
    What is worked out of it is kept, and read-only: copy it to change it.

    Raises :class:`DataError` for shapes that do not match the names, for names that come twice and for infinite
    scores.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    scores: NDArray[np.float64]
    baseline: NDArray[np.float64]
    metric: str = "score"

    def __post_init__(self) -> None:
        for what, names in (("source", self.sources), ("target", self.targets)):
            name, times = Counter(names).most_common(1)[0] if names else ("", 1)
            if times > 1:
                raise DataError(f"the {what} {name!r} comes {times} times in a table of transfers; name it once")
        shape = (len(self.sources), len(self.targets), self.scores.shape[-1])
        if self.scores.shape != shape or self.baseline.shape != shape[1:]:
            raise DataError(
                f"scores of shape {self.scores.shape} and baselines of shape {self.baseline.shape} do not fit "
                f"{shape[0]} sources and {shape[1]} targets; give [sources, targets, runs] and [targets, runs]"
            )
        if np.isinf(self.scores).any() or np.isinf(self.baseline).any():
            raise DataError("a table of transfers holds infinite scores; put NaN where nothing was measured")

    @classmethod
    def of(cls, rows: Iterable[Measured], *, none: str | None = NO_TRANSFER) -> Transfers:
        """The table of some rows, names in the order in which they first come.

        Rows of one source and target are runs, put beside those of other cells by their seed; a seed that comes
        again, or none, makes a further run.  A row that states a baseline is held against that one: rows of one target
        and seed that state others are on other runs.  A row without one is held against the mean of those stated for
        its target and seed; where none is, against that of the rows whose source is ``none``, which is no source.  An
        empty table is one without names.

        Raises :class:`DataError` for a score that is no finite number and for two metrics on one target.
        """
        rows = list(rows)
        transfers, starts = [r for r in rows if r.source != none], [r for r in rows if r.source == none]
        without, metrics = baselines_of(rows, starts), metrics_of(rows)
        scored = scores_of(transfers, without)
        runs = runs_of(scored, without)
        sources = tuple(dict.fromkeys(row.source for row in transfers))
        targets = tuple(dict.fromkeys(row.target for row in rows))
        s, t, r = ({name: i for i, name in enumerate(names)} for names in (sources, targets, runs))
        scores = np.full((len(sources), len(targets), len(runs)), np.nan)
        for (source, target, run), score in scored.items():
            scores[s[source], t[target], r[run]] = score
        baseline = np.full((len(targets), len(runs)), np.nan)
        for target, run in product(targets, runs):
            if run.start < len(known := without.get((target, run.seed), ())):
                baseline[t[target], r[run]] = known[run.start]
        return cls(sources, targets, scores, baseline, metrics.pop() if len(metrics) == 1 else "score")

    @classmethod
    def read(cls, path: str | Path, *, model: str | None = None, none: str | None = NO_TRANSFER) -> Transfers:
        """The table of a file as :func:`~taskspace.ranking.history.read_rows` reads it and :meth:`of` arranges it."""
        return cls.of(read_rows(path, model=model), none=none)

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """float64[sources, targets]: score averaged over the runs there are, NaN without any."""
        return _kept(mean_over(self.scores))

    @cached_property
    def gain(self) -> NDArray[np.float64]:
        """float64[sources, targets]: mean over runs of the score less the baseline of the same run.

        A run without one is held against the target's mean baseline; NaN where the target has none.
        """
        known = np.where(np.isnan(self.baseline), mean_over(self.baseline)[:, None], self.baseline)
        return _kept(mean_over(self.scores - known))

    @cached_property
    def benefit(self) -> NDArray[np.float64]:
        """float64[sources, targets]: the gain, and the mean score on targets without a baseline; never mix columns."""
        return _kept(np.where(np.isnan(self.gain), self.mean, self.gain))

    @property
    def runs_of(self) -> NDArray[np.int64]:
        """int64[sources, targets]: how many runs."""
        return (~np.isnan(self.scores)).sum(axis=-1, dtype=np.int64)

    @property
    def has_baseline(self) -> bool:
        """Whether the score without transfer is known for any target."""
        return not bool(np.isnan(self.baseline).all())

    @cached_property
    def self_cells(self) -> NDArray[np.bool_]:
        """bool[sources, targets]: where the source is the target itself, by name."""
        place = {name: i for i, name in enumerate(self.targets)}
        own = np.array([place.get(name, -1) for name in self.sources], dtype=np.intp)
        return _kept(own[:, None] == np.arange(len(self.targets)))

    @cached_property
    def foreign(self) -> Transfers:
        """The table as if no target had been its own source."""
        return replace(self, scores=np.where(self.self_cells[..., None], np.nan, self.scores))

    def column(self, target: str) -> NDArray[np.float64]:
        """float64[sources] of :attr:`mean` on one target."""
        (place,) = _places(self.targets, [target], "target")
        return self.mean[:, place]

    def cells(self) -> Iterator[tuple[str, str]]:
        """Source and target of each cell that was measured, source by source."""
        for s, t in np.argwhere(self.runs_of > 0).tolist():
            yield self.sources[s], self.targets[t]

    def without_target(self, name: str) -> Transfers:
        """The table without what was measured on ``name``; the same where nothing was.  As a source it stays."""
        return self.only(targets=[target for target in self.targets if target != name])

    def only(self, sources: Iterable[str] | None = None, targets: Iterable[str] | None = None) -> Transfers:
        """Only these sources and targets, in the order given; raises :class:`DataError` for a name not there."""
        kept_s = tuple(self.sources if sources is None else sources)
        kept_t = tuple(self.targets if targets is None else targets)
        s, t = _places(self.sources, kept_s, "source"), _places(self.targets, kept_t, "target")
        return replace(
            self, sources=kept_s, targets=kept_t, scores=self.scores[np.ix_(s, t)], baseline=self.baseline[t]
        )


def mean_over(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Mean of what is not NaN along an axis, NaN where all of it is."""
    there = ~np.isnan(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _kept(values: NDArray[Scalar]) -> NDArray[Scalar]:
    """The same array, read-only, so that no caller changes what the next one gets."""
    values.setflags(write=False)
    return values


def _places(names: Sequence[str], wanted: Iterable[str], what: str) -> NDArray[np.intp]:
    place = {name: i for i, name in enumerate(names)}
    wanted = list(wanted)
    for name in wanted:
        if name not in place:
            raise DataError(f"no transfer was measured with the {what} {name!r}{did_you_mean(name, names)}")
    return np.array([place[name] for name in wanted], dtype=np.intp)
