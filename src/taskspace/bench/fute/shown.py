"""Tables for reading: a mean and its interval in one cell, columns by the names that the field uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.prompting.study.rows import columns, to_markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.prompting.study.rows import Row, Value

_NAMES = {
    "ndcg": "NDCG", "rank_of_best": "rank of the best", "regret_3": "regret@3, points",
    "above_prior": "NDCG above the prior", "above_chance": "NDCG above chance", "mrr": "MRR",
    "mrr_chance": "MRR by chance", "kin_mrr": "MRR of kin", "kin_chance": "by chance", "data_mrr": "MRR of own data",
    "data_chance": "by chance ", "soft_mrr": "MRR, soft answers", "hard_mrr": "MRR, hard answers",
    "embed_ms": "embed, ms a model", "vectors_mb": "vectors, MB", "atlas_mb": "atlas, MB",
    "rank_first_s": "first ranking, s", "rank_again_s": "again, s",
    "family_first": "family first", "family_chance": "by chance  ",
}  # fmt: skip
"""Two columns may read alike, but not be called alike."""

_DIGITS = {
    "rank_of_best": 1, "regret_3": 1, "embed_ms": 0, "vectors_mb": 1, "atlas_mb": 1, "sources": 1, "rank_again_s": 3,
}  # fmt: skip

_HIDDEN = ("setting", "axis_chance")


def for_reading(rows: Sequence[Row]) -> str:
    """A Markdown table; an interval stands in brackets behind its mean, of chance the mean alone."""
    names = [name for name in columns(rows) if not name.endswith(("_low", "_high")) and name not in _HIDDEN]
    return to_markdown([{_NAMES.get(name, name): _cell(row, name) for name in names} for row in rows])


def _cell(row: Row, name: str) -> Value:
    value, low, high = (row.get(each) for each in (name, f"{name}_low", f"{name}_high"))
    if not isinstance(value, float):
        return value
    digits = 0 if low is None and value.is_integer() else _DIGITS.get(name, 3)
    if low is None or high is None or "chance" in row.values():
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{float(low):.{digits}f}, {float(high):.{digits}f}]"
