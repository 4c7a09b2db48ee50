"""taskspace on what ``rivals.py`` asks for: its signals and its answer, from the same rows and checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from _rivals_inputs import BASE, SOURCE_ROWS, Kept, Known
from taskspace import Pool, Space, TaskEmbedding
from taskspace.ranking.answer import Earlier, answer
from taskspace.ranking.estimators import SpaceMap, fit_map
from taskspace.ranking.signals import Corpus, Question, Source, Vectors, signal_named
from taskspace.surrogates import load_surrogate

if TYPE_CHECKING:
    from pathlib import Path

    from taskspace.ranking.history import Transfers

SIGNALS = ("logme", "h_score", "knn", "linear_probe", "esm", "response", "text", "prior")
"""Signals that stand in the table, each alone."""

ANSWERS = {
    "answer, data only": ("response", "esm"),
    "answer, models run": ("response", "logme"),
}
"""The final answer: signals that are weighed, as learned on the other targets' transfers.  Others go here."""

LEARNERS = ("response", "text")


@dataclass(frozen=True, eq=False)
class Ours:
    """Everything of one ground truth and one number of target rows."""

    kept: Kept
    transfers: Transfers
    rows: int
    pool: Pool = field(repr=False)

    def answers(self) -> dict[str, dict[str, dict[str, float]]]:
        """By method, target and source."""
        learned = ANSWERS if len(self.transfers.targets) > 2 else ()
        return {name: {t: self.scores(name, t) for t in self.transfers.targets} for name in (*SIGNALS, *learned)}

    def scores(self, method: str, target: str) -> dict[str, float]:
        """What a signal or an answer says of each source of a target; higher is better."""
        question = self.question(target)
        if method in ANSWERS:
            others = [name for name in self.transfers.targets if name != target]
            earlier = [Earlier(self.question(name, without=target), self._gains(name)) for name in others]
            ranking = answer(question, ANSWERS[method], earlier=earlier)
            return {hit.name: hit.score for hit in ranking if hit.kind != "none"}
        return dict(zip(question.names, signal_named(method).read(question).tolist(), strict=True))

    def question(self, target: str, *, without: str | None = None) -> Question:
        """Which source for this target, by all that is kept but transfers to it, and to the target ``without``."""
        names = self.sources(target)
        known = self.transfers.without_target(target)
        return Question(
            target=target,
            sources=tuple(self._source(name, target) for name in names),
            corpus=Corpus(
                self.kept.task(target, self.rows), encode=lambda: self.kept.features(BASE, target, self.rows)
            ),
            vectors={learner: self._vectors(learner, target, names) for learner in LEARNERS},
            transfers=known if without is None else known.without_target(without),
        )

    def sources(self, target: str) -> list[str]:
        """The candidates: all but the target itself."""
        return [name for name in self.transfers.sources if name != target]

    def _source(self, name: str, target: str) -> Source:
        model = Known(self.kept, name, target, self.rows)
        return Source(name, rows=SOURCE_ROWS, model=model, space_map=self.map_of(name))

    def _gains(self, target: str) -> np.ndarray:
        rows = [self.transfers.sources.index(name) for name in self.sources(target)]
        return self.transfers.gain[rows, self.transfers.targets.index(target)]

    def map_of(self, name: str) -> SpaceMap:
        """The closed-form map of a source, from all its rows."""
        if name not in self._maps:
            path = self.map_path(name)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                fit_map(*self._pairs(name)).save(path)
            self._maps[name] = SpaceMap.load(path)
        return self._maps[name]

    def map_path(self, name: str) -> Path:
        return self.kept.work / "maps" / f"{name}.safetensors"

    def _pairs(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Base and tuned features of a source's rows."""
        return self.kept.features(BASE, name, SOURCE_ROWS), self.kept.features(name, name, SOURCE_ROWS)

    def vector(self, learner: str, task: str, rows: int) -> TaskEmbedding:
        """A data set's embedding, from at most so many of its rows."""
        path = self.vector_path(learner, task, rows)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._spaces[learner].embed(self.kept.task(task, rows)).save(path)
        return TaskEmbedding.load(path)

    def vector_path(self, learner: str, task: str, rows: int) -> Path:
        return self.kept.work / "vectors" / f"{learner}__{task}__{rows}.safetensors"

    def _vectors(self, learner: str, target: str, names: list[str]) -> Vectors:
        there = self.vector(learner, target, self.rows)
        sources = np.stack([self.vector(learner, name, SOURCE_ROWS).vector for name in names])
        return Vectors(there.vector, sources, there.blocks)

    @cached_property
    def _maps(self) -> dict[str, SpaceMap]:
        return {}

    @cached_property
    def _spaces(self) -> dict[str, Space]:
        surrogate = load_surrogate()
        return {learner: Space(self.pool, surrogate=surrogate, learner=learner) for learner in LEARNERS}
