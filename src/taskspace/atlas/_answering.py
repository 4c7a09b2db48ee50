"""What the atlas knows, as a question for :mod:`taskspace.ranking.answer`: candidates, vectors, measured transfers."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking import is_target, notes_on
from taskspace.ranking.answer import About, Earlier, answer
from taskspace.ranking.history import Transfers
from taskspace.ranking.signals import Question, Source, Vectors, signal_named, signals_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.atlas._rows import Row
    from taskspace.atlas._values import Transfer
    from taskspace.atlas.matrix import Matrix
    from taskspace.embedding import Kind, TaskEmbedding
    from taskspace.ranking import Ranking
    from taskspace.ranking.signals import Corpus, Model, Signal

_FEWEST = 2
"""Other targets with measured gains from which a prediction can be made."""


def usual_signals(learner: str, *, fusion: str = "mean", centre: bool = False) -> list[Signal]:
    """What can be read of anything stored: its likeness, what it did for the target's neighbours, its prior."""
    own = {signal.name: signal for signal in signals_of(learner)}
    like = "+rrf" if fusion == "rrf" else "+centred" if centre else ""
    return [own[learner + like], own[f"{learner}+neighbours"], signal_named("prior+ranks")]


def table_of(measured: Sequence[Transfer]) -> Transfers:
    """All transfers as a table; of a target that was scored by several metrics only the one used most, then last."""
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for row in reversed(measured):  # a counter names what it met first where counts are equal
        used[row.target][row.metric] += 1
    chosen = {target: counts.most_common(1)[0][0] for target, counts in used.items()}
    return Transfers.of(row for row in measured if row.metric == chosen[row.target])


@dataclass(frozen=True, eq=False)
class Desk:
    """One target, one space with its vectors, and the transfers that were measured, whatever they name."""

    target: TaskEmbedding
    matrix: Matrix
    transfers: Transfers
    kind: Kind | None = None

    @property
    def calibrates(self) -> bool:
        """Whether enough other targets were measured to predict a gain."""
        return len(self._known_targets) >= _FEWEST

    def answer(
        self,
        signals: Sequence[Signal],
        *,
        k: int | None = None,
        corpus: Corpus | None = None,
        models: Mapping[str, Model] | None = None,
    ) -> Ranking:
        """The answer for the target; ``models`` are candidates that may be run on the rows of ``corpus``."""
        rows, runnable = self._candidates, models or {}
        question = self._question(self.target.name, self.target.vector, [row.name for row in rows])
        sources = tuple(replace(source, model=runnable.get(source.name)) for source in question.sources)
        ranking = answer(
            replace(question, corpus=corpus, sources=sources),
            signals,
            earlier=[self._earlier(target) for target in self._known_targets],
            measured=self._gains(self.target.name, [row.name for row in rows]),
            about={row.name: About(row.kind, row.content, row.provenance) for row in rows},
            k=k,
            unit=self.transfers.metric,
        )
        itself = [row.name for row in self._fitting if is_target(row, self.target)]
        silent = [row.name for row in rows if not row.informative]
        return replace(ranking, notes=(*notes_on(self.target, itself, silent), *ranking.notes))

    @property
    def _fitting(self) -> list[Row]:
        return [row for row in self.matrix.rows if self.kind in (None, row.kind)]

    @cached_property
    def _candidates(self) -> list[Row]:
        return [row for row in self._fitting if not is_target(row, self.target)]

    @cached_property
    def _place(self) -> dict[str, int]:
        return {row.name: i for i, row in enumerate(self.matrix.rows)}

    @cached_property
    def _known_targets(self) -> list[str]:
        """Other targets with a vector here and measured gains of at least two sources with vectors."""
        sources = np.array([name in self._place for name in self.transfers.sources], dtype=np.bool_)
        count = (~np.isnan(self.transfers.foreign.gain) & sources[:, None]).sum(axis=0)
        return [
            target
            for target, measured in zip(self.transfers.targets, count, strict=True)
            if measured > 1 and target != self.target.name and target in self._place
        ]

    def _earlier(self, target: str) -> Earlier:
        """The question that was asked when ``target`` was measured: it sees neither its own transfers nor those of
        the target asked about now.
        """
        tried = [source for source in self.transfers.sources if source in self._place and source != target]
        vector = self.matrix.vectors[self._place[target]]
        gains = self._gains(target, tried)
        assert gains is not None
        return Earlier(self._question(target, vector, tried), gains)

    def _question(self, name: str, vector: NDArray[np.float32], sources: Sequence[str]) -> Question:
        hidden = (name, self.target.name)
        seen = self.transfers.foreign.only(targets=[t for t in self.transfers.targets if t not in hidden])
        pivots = np.full((len(seen.targets), self.matrix.vectors.shape[1]), np.nan, dtype=np.float32)
        for i, target in enumerate(seen.targets):
            if target in self._place:
                pivots[i] = self.matrix.vectors[self._place[target]]
        chosen = [self._place[source] for source in sources]
        vectors = Vectors(vector, self.matrix.vectors[chosen], self.matrix.blocks, pivots)
        return Question(
            target=name,
            sources=tuple(Source(source) for source in sources),
            vectors={self.target.space.learner: vectors},
            transfers=seen,
        )

    def _gains(self, target: str, sources: Sequence[str]) -> NDArray[np.float64] | None:
        """float64[n]: measured gains on a target, NaN where there is none; None where it was never measured."""
        if target not in self.transfers.targets:
            return None
        measured = self.transfers.foreign.gain[:, self.transfers.targets.index(target)]
        column = dict(zip(self.transfers.sources, measured, strict=True))
        return np.array([column.get(source, np.nan) for source in sources])
