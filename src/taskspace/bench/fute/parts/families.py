"""Models of other families as sources: do they rank the sources as the tuned transformer does?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.bench.fute.models import FAMILIES, bag_of_words
from taskspace.bench.fute.parts._part import Part
from taskspace.bench.fute.spaces import similarities
from taskspace.ranking.metrics import bootstrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from taskspace.bench.fute.judging import Judge
    from taskspace.bench.fute.models import SourceModel
    from taskspace.bench.fute.parts._part import Kept
    from taskspace.bench.fute.study import Study
    from taskspace.embedding import TaskEmbedding
    from taskspace.prompting.study.rows import Row
    from taskspace.space import Space

TUNED = "tuned transformer"
_BY = ("family",)


def measure(study: Study, kept: Kept) -> Iterator[tuple[str, list[Row]]]:
    """Similarities of the targets to models of each family, over the study's own pool."""
    if study.kinds is not None:
        yield "kinds", _cited(study)
    space = study.space("response")
    for family in (TUNED, *FAMILIES):
        rows = kept.get(family, ())
        if {row["source"] for row in rows} >= set(study.plan.sources):
            continue
        models = study.source_models(space) if family == TUNED else _fitted(study, space, family)
        yield family, similarities(study.targets(space), models, {"setting": family, "family": family})


def _fitted(study: Study, space: Space, family: str) -> dict[str, TaskEmbedding]:
    """Models of the family, of the rows that the transformers were tuned on."""

    def fit(name: str) -> SourceModel:
        return bag_of_words(study.tasks.rows(name, study.plan.fitted_rows), family, name=name)

    return study.named(space, study.plan.sources, family, fit)


def _cited(study: Study) -> list[Row]:
    """The mean reciprocal ranks of a table that has a row per task and ``kind`` of model."""
    from taskspace.bench.fute.records import read_rows

    assert study.kinds is not None
    return [
        {"setting": "kinds", "kind": row["kind"], "model": row["task"], "accuracy": row["accuracy"],
         "soft": row["soft_mrr"], "hard": row["hard_mrr"]}
        for row in read_rows(study.kinds)
    ]  # fmt: skip


def tables(rows: Sequence[Row], judge: Judge | None) -> dict[str, list[Row]]:
    """The order of the sources by family, and what was measured of other kinds."""
    found: dict[str, list[Row]] = {}
    if judge is not None:
        found["families"] = judge.table([row for row in rows if row.get("family")], _BY)
    cited = [row for row in rows if row.get("kind")]
    kinds = dict.fromkeys(str(row["kind"]) for row in cited)
    if kinds:
        found["families_kin"] = [_kin(kind, [row for row in cited if row["kind"] == kind]) for kind in kinds]
    return found


def _kin(kind: str, rows: Sequence[Row]) -> Row:
    found: Row = {"kind": kind, "models": len(rows)}
    found["accuracy"] = bootstrap([float(row["accuracy"] or 0) for row in rows]).mean
    for answers in ("soft", "hard"):
        interval = bootstrap([float(row[answers] or 0) for row in rows])
        found |= {f"{answers}_mrr": interval.mean, f"{answers}_mrr_low": interval.low}
        found[f"{answers}_mrr_high"] = interval.high
    return found


PART = Part(
    "families",
    "Other families of models as sources",
    "`response`, MTE-DTE: the pool is answered by models of each family that were fitted on the same rows; the truth "
    "is that of the tuned transformers, so the question is whether a model's family hides its task.",
    measure,
    tables,
    ("families", "families_kin"),
)
