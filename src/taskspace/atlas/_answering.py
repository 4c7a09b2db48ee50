"""What the atlas knows, as a question for :mod:`taskspace.ranking.answer`: candidates, vectors, measured transfers."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking import Ranking, centre_of, is_target
from taskspace.ranking._rank import listed, notes_on_itself
from taskspace.ranking.answer import About, Earlier, answer
from taskspace.ranking.fusion import fusion_named
from taskspace.ranking.history import Transfers
from taskspace.ranking.history.transfers import mean_over
from taskspace.ranking.signals import Question, Source, Vectors, signal_named, signals_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.atlas._stored import Row
    from taskspace.atlas._values import Transfer
    from taskspace.atlas.matrix import Matrix
    from taskspace.embedding import Kind, TaskEmbedding
    from taskspace.ranking.signals import Corpus, Model, Signal

_FEWEST = 2
"""Other targets with measured gains from which a prediction can be made."""


def usual_signals(learner: str, *, fusion: str = "mean", centre: bool = False) -> list[Signal]:
    """What can be read of anything stored: its likeness, what it did for the target's neighbours, its prior."""
    fusion_named(fusion)
    own = {signal.name: signal for signal in signals_of(learner)}
    like = learner + "+centred" * centre + "+rrf" * (fusion == "rrf")
    return [own[like], own[f"{learner}+neighbours"], signal_named("prior+ranks")]


def table_of(measured: Sequence[Transfer]) -> Transfers:
    """All transfers as a table; of a target that was scored by several metrics only the one used most, then last."""
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for row in reversed(measured):  # a counter names what it met first where counts are equal
        used[row.target][row.metric] += 1
    chosen = {target: counts.most_common(1)[0][0] for target, counts in used.items()}
    return Transfers.of(row for row in measured if row.metric == chosen[row.target])


def _without_likeness(signals: Sequence[Signal]) -> list[Signal]:
    return [signal for signal in signals if "embeddings" not in signal.needs]


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
        signals = signals if self.target.informative else _without_likeness(signals)
        rows, runnable = self._candidates, models or {}
        notes = self._notes()
        if not rows:
            return Ranking(self.target.name, (), "nothing to predict a gain of", tuple(notes))
        question = self._question(self.target.name, self.target.vector, [row.name for row in rows])
        sources = tuple(replace(source, model=runnable.get(source.name)) for source in question.sources)
        ranking = answer(
            replace(question, corpus=corpus, sources=sources),
            signals,
            earlier=[self._earlier(target) for target in self._known_targets],
            measured=self._own_gains([row.name for row in rows]),
            about={row.name: About(row.kind, row.content, row.provenance) for row in rows},
            k=k,
            unit=self.transfers.metric,
        )
        return replace(ranking, notes=(*notes, *ranking.notes))

    def _notes(self) -> list[str]:
        """What was left out as the target itself, and of what nothing but its transfers is known."""
        itself = [row.name for row in self._fitting if is_target(row, self.target)]
        told = self.target.informative
        silent = [row.name for row in self._candidates if told and not row.informative]
        return [
            *([] if told else [f"likeness is left out, since {self.target.name!r} itself says nothing"]),
            *notes_on_itself(itself),
            *([f"say nothing, so their likeness counts as average: {listed(silent)}"] if silent else []),
        ]

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
    def _own(self) -> set[str]:
        """The names under which the target itself is known here: its own, and those of the same rows."""
        return {self.target.name, *(row.name for row in self.matrix.rows if is_target(row, self.target))}

    @cached_property
    def _gain(self) -> NDArray[np.float64]:
        return self.transfers.foreign.gain

    @cached_property
    def _known_targets(self) -> list[str]:
        """Other targets with a vector here and measured gains of at least two sources with vectors."""
        sources = np.array([name in self._place for name in self.transfers.sources], dtype=np.bool_)
        count = (~np.isnan(self._gain) & sources[:, None]).sum(axis=0)
        return [
            target
            for target, measured in zip(self.transfers.targets, count, strict=True)
            if measured > 1 and target not in self._own and target in self._place
        ]

    def _earlier(self, target: str) -> Earlier:
        """The question that was asked when ``target`` was measured: it sees neither its own transfers nor those of
        the target asked about now.
        """
        rows, itself = self.matrix.rows, self.matrix.rows[self._place[target]]
        same = {row.name for row in rows if (row.content, row.kind) == (itself.content, itself.kind)}
        tried = [source for source in self.transfers.sources if source in self._place and source not in same]
        gains = self._gains(target, tried)
        assert gains is not None
        return Earlier(self._question(target, self._vectors_of([target])[0], tried), gains)

    def _question(self, name: str, vector: NDArray[np.float32], sources: Sequence[str]) -> Question:
        hidden = {name, *self._own}
        seen = self.transfers.foreign.only(targets=[t for t in self.transfers.targets if t not in hidden])
        known, pivots = self._vectors_of(sources), self._vectors_of(seen.targets)
        vectors = Vectors(vector, known, self.matrix.blocks, pivots, self._centre)
        return Question(
            target=name,
            sources=tuple(Source(source) for source in sources),
            vectors={self.target.space.learner: vectors},
            transfers=seen,
        )

    def _vectors_of(self, names: Sequence[str]) -> NDArray[np.float32]:
        """float32[n, d]: what is stored under these names; NaN for what says nothing, or is not there."""
        found = np.full((len(names), self.matrix.vectors.shape[1]), np.nan, dtype=np.float32)
        there = [(i, self._place[name]) for i, name in enumerate(names) if name in self._place]
        telling = [(i, place) for i, place in there if self.matrix.rows[place].informative]
        found[[i for i, _ in telling]] = self.matrix.vectors[[place for _, place in telling]]
        return found

    @cached_property
    def _centre(self) -> NDArray[np.float64]:
        """The mean of all vectors of the space that say something, of whatever kind."""
        return centre_of(self.matrix.vectors, np.array([row.informative for row in self.matrix.rows], dtype=np.bool_))

    def _own_gains(self, sources: Sequence[str]) -> NDArray[np.float64] | None:
        """Gains already measured on the target, under any of its names; None where there is none."""
        found = [gains for name in sorted(self._own) if (gains := self._gains(name, sources)) is not None]
        return mean_over(np.array(found), axis=0) if found else None

    def _gains(self, target: str, sources: Sequence[str]) -> NDArray[np.float64] | None:
        """float64[n]: measured gains on a target, NaN where there is none; None where it was never measured."""
        if target not in self.transfers.targets:
            return None
        column = dict(zip(self.transfers.sources, self._gain[:, self.transfers.targets.index(target)], strict=True))
        return np.array([column.get(source, np.nan) for source in sources])
