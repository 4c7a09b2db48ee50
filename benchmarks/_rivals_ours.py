"""taskspace on what ``rivals.py`` asks for: the leaderboard's signals and answers, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from _rivals_inputs import SOURCE_ROWS, Kept
from taskspace.bench.rank import Folds, GroundTruth, Opening, answers
from taskspace.ranking.signals import signal_named

if TYPE_CHECKING:
    from pathlib import Path

    from taskspace import TaskEmbedding
    from taskspace.bench.rank import Order
    from taskspace.ranking.estimators import SpaceMap
    from taskspace.ranking.history import Transfers

SIGNALS = ("logme", "h_score", "knn", "linear_probe", "esm", "response", "text", "prior")
"""Signals that stand in the table, each alone."""


@dataclass(frozen=True, eq=False)
class Ours:
    """Everything of one ground truth and one number of target rows."""

    kept: Kept
    transfers: Transfers

    def orders(self) -> dict[str, dict[str, dict[str, float]]]:
        """By method, target and source: the single signals, and the answers, each target left out in turn."""
        folds = Folds(self.ground)
        found = {name: folds.single(signal_named(name)) for name in SIGNALS}
        if len(self.transfers.targets) > 2:
            found |= {recipe.name: folds.fused(recipe) for recipe in answers()}
        return {method: {order.target: self._named(order) for order in orders} for method, orders in found.items()}

    def sources(self, target: str) -> list[str]:
        """The candidates: all but the target itself."""
        return [name for name in self.transfers.sources if name != target]

    @cached_property
    def ground(self) -> GroundTruth:
        kept = self.kept
        return Opening(
            transfers=self.transfers,
            tasks=kept.tasks,
            surrogate=kept.surrogate,
            out=kept.board,
            truth=kept.truth,
            learners=("response", "text"),
        ).open()

    def map_of(self, source: str) -> SpaceMap:
        """The closed-form map of a source."""
        found = self.ground.sources[source].space_map
        assert found is not None
        return found

    def map_path(self, source: str) -> Path:
        """Its map as it would be kept."""
        folder = self.kept.work / "maps"
        folder.mkdir(exist_ok=True)
        return self.map_of(source).save(folder / f"{source}.safetensors")

    def vector_path(self, embedding: TaskEmbedding) -> Path:
        """An embedding as it would be kept."""
        folder = self.kept.work / "vectors"
        folder.mkdir(exist_ok=True)
        return embedding.save(folder / f"{embedding.name}__{SOURCE_ROWS}.safetensors")

    def _named(self, order: Order) -> dict[str, float]:
        return dict(zip(self.ground.candidates(order.target), order.scores.tolist(), strict=True))
