"""From vectors to an ordered answer that says what its scores mean."""

from __future__ import annotations

from taskspace.ranking._gain import Gain
from taskspace.ranking._rank import Candidate, is_target, order, rank
from taskspace.ranking._ranking import DO_NOT_TRANSFER, Hit, Ranking
from taskspace.ranking.fusion import fuse
from taskspace.ranking.metrics import chance, hit_at, ndcg, regret_at, spearman
from taskspace.ranking.similarity import block_cosines, block_norms, centre_of, centred_cosines

__all__ = [
    "DO_NOT_TRANSFER",
    "Candidate",
    "Gain",
    "Hit",
    "Ranking",
    "block_cosines",
    "block_norms",
    "centre_of",
    "centred_cosines",
    "chance",
    "fuse",
    "hit_at",
    "is_target",
    "ndcg",
    "order",
    "rank",
    "regret_at",
    "spearman",
]
