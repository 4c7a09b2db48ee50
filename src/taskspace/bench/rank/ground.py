"""A ground truth as questions: measured transfers, and what could be known before any of them was tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from taskspace.errors import DataError, did_you_mean
from taskspace.ranking.answer import Earlier
from taskspace.ranking.history.transfers import mean_over
from taskspace.ranking.signals import Question, Source, Vectors

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.embedding import Blocks
    from taskspace.ranking.history import Transfers
    from taskspace.ranking.signals import Corpus

_FEWEST = 2
"""Sources measured on a target from which they can be ordered."""


class Vectorial(Protocol):
    """One learner's view of the tasks of a ground truth."""

    def vectors(
        self, target: str, sources: Sequence[str], pivots: Sequence[str], hidden: Collection[str]
    ) -> Vectors | None:
        """Of a target, its candidates and the tasks measured before, as known without the ``hidden`` tasks.

        Rows of NaN for what has no vector; None where the target has none.
        """
        ...


@dataclass(frozen=True, eq=False)
class Embedded:
    """Vectors that do not hang on any transfer, each float32[d], of tasks as sources and as targets."""

    sources: Mapping[str, NDArray[np.float32]]
    targets: Mapping[str, NDArray[np.float32]]
    blocks: Blocks

    def vectors(
        self, target: str, sources: Sequence[str], pivots: Sequence[str], hidden: Collection[str]
    ) -> Vectors | None:
        if target not in self.targets:
            return None
        return Vectors(
            self.targets[target], self._rows(self.sources, sources), self.blocks, self._rows(self.targets, pivots)
        )

    def _rows(self, known: Mapping[str, NDArray[np.float32]], names: Sequence[str]) -> NDArray[np.float32]:
        width = sum(size for _, size in self.blocks)
        nothing = np.full(width, np.nan, dtype=np.float32)
        return np.array([known.get(name, nothing) for name in names], dtype=np.float32).reshape(len(names), width)


@dataclass(frozen=True, eq=False, kw_only=True)
class GroundTruth:
    """``transfers``, and what is known of tasks by name: ``sources``, ``corpora`` of targets, ``vectors`` by learner.

    A source that is the target itself by name never enters, neither as a candidate nor as something measured before.
    """

    transfers: Transfers
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    corpora: Mapping[str, Corpus] = field(default_factory=dict[str, "Corpus"])
    vectors: Mapping[str, Vectorial] = field(default_factory=dict[str, Vectorial])
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.targets:
            raise DataError(
                f"of {len(self.transfers.targets)} targets none was measured from {_FEWEST} sources; measure more"
            )

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Those on which enough sources were measured to be ordered."""
        known = (~np.isnan(self._gain)).sum(axis=0) >= _FEWEST
        return tuple(name for name, enough in zip(self.transfers.targets, known, strict=True) if enough)

    @cached_property
    def relative(self) -> bool:
        """Whether no score without transfer is known, so that gains are over the mean of a target's sources."""
        return not self.transfers.has_baseline

    def candidates(self, target: str, hidden: Collection[str] = ()) -> tuple[str, ...]:
        """The sources that were measured on ``target``, without the ``hidden`` tasks."""
        known = ~np.isnan(self._gain[:, self._column(target)])
        names = zip(self.transfers.sources, known, strict=True)
        return tuple(name for name, measured in names if measured and name not in hidden)

    def gains(self, target: str, names: Sequence[str]) -> NDArray[np.float64]:
        """float64[n]: what each source added to not transferring; see :attr:`relative`."""
        return self._gain[self._rows(names), self._column(target)]

    def baseline(self, target: str) -> float:
        """The target's mean score without transfer; where none is known, the mean of its sources."""
        column = self._column(target)
        known = float(mean_over(self.transfers.baseline)[column])
        return float(mean_over(self._score, axis=0)[column]) if np.isnan(known) else known

    def runs(self, target: str, names: Sequence[str]) -> NDArray[np.float64]:
        """float64[n, runs]: the same gains, each run by itself; NaN for a run that is missing."""
        column = self._column(target)
        scores = self._foreign.scores[self._rows(names), column]
        without = self.transfers.baseline[column]
        return scores - np.where(np.isnan(without), self.baseline(target), without)

    def question(self, target: str, hidden: Collection[str] = ()) -> Question:
        """Which of its candidates helps ``target`` most?

        The transfers are those to other tasks; of the ``hidden`` tasks, neither as targets nor as sources, there is
        nothing in it.
        """
        names = self.candidates(target, hidden)
        seen = self._foreign.only(
            sources=[name for name in self.transfers.sources if name not in hidden],
            targets=[name for name in self.transfers.targets if name != target and name not in hidden],
        )
        views = {
            learner: each.vectors(target, names, seen.targets, (target, *hidden))
            for learner, each in self.vectors.items()
        }
        return Question(
            target=target,
            sources=tuple(self.sources.get(name, Source(name)) for name in names),
            corpus=self.corpora.get(target),
            vectors={learner: view for learner, view in views.items() if view is not None},
            transfers=seen,
            seed=self.seed,
        )

    def earlier(self, target: str, hidden: Collection[str] = ()) -> Earlier:
        """The question, and the gains that were measured."""
        question = self.question(target, hidden)
        return Earlier(question, self.gains(target, question.names))

    @cached_property
    def _foreign(self) -> Transfers:
        return self.transfers.foreign

    @cached_property
    def _score(self) -> NDArray[np.float64]:
        return self._foreign.mean

    @cached_property
    def _gain(self) -> NDArray[np.float64]:
        """float64[sources, targets]; a target without a baseline has its mean over sources in its place."""
        gain = self._foreign.gain
        return np.where(np.isnan(gain), self._score - mean_over(self._score, axis=0), gain)

    def _column(self, target: str) -> int:
        if target not in self.transfers.targets:
            raise DataError(f"no transfer to {target!r} was measured{did_you_mean(target, self.transfers.targets)}")
        return self.transfers.targets.index(target)

    def _rows(self, names: Sequence[str]) -> list[int]:
        place = {name: row for row, name in enumerate(self.transfers.sources)}
        return [place[name] for name in names]
