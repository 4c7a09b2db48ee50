"""The leaderboard: every signal and the fused answers, judged on measured transfers that they have not seen."""

from __future__ import annotations

from taskspace.bench.rank.board import Leaderboard, answers, chosen, leaderboard
from taskspace.bench.rank.ground import Embedded, GroundTruth, Vectorial
from taskspace.bench.rank.opening import LEARNERS, Opening, read_truth, require_same_model, rows_of
from taskspace.bench.rank.orders import Folds, Order, Recipe
from taskspace.bench.rank.report import document, write_report
from taskspace.bench.rank.scoring import Entry, Judge
from taskspace.bench.rank.tasks import TaskRows, near_duplicates

__all__ = [
    "LEARNERS", "Embedded", "Entry", "Folds", "GroundTruth", "Judge", "Leaderboard", "Opening", "Order", "Recipe",
    "TaskRows", "Vectorial", "answers", "chosen", "document", "leaderboard", "near_duplicates", "read_truth",
    "require_same_model", "rows_of", "write_report",
]  # fmt: skip
