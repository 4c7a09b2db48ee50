"""The study itself: each learner, with sources as models, as data sets, and in the way of the original papers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.bench.fute.judging import CROSS_DOMAIN, IN_CLASS
from taskspace.bench.fute.originals import tuned_fishers
from taskspace.bench.fute.parts._part import Part
from taskspace.bench.fute.spaces import similarities

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from taskspace.bench.fute.judging import Judge
    from taskspace.bench.fute.parts._part import Kept
    from taskspace.bench.fute.study import Study
    from taskspace.embedding import TaskEmbedding
    from taskspace.prompting.study.rows import Row

BY = ("learner", "pairing")

MTE, DTE, ORIGINAL = "MTE-DTE", "DTE-DTE", "original"
"""The target's data set among models, among data sets, and in the way of the paper that a learner comes from."""


def measure(study: Study, kept: Kept) -> Iterator[tuple[str, list[Row]]]:
    """Similarities of sources to targets, by learner and pairing."""
    for learner in study.plan.learners:
        for pairing in (MTE, DTE, ORIGINAL):
            setting = f"{learner} {pairing}"
            if _complete(study, kept.get(setting, ())):
                continue
            pair = _embedded(study, learner, pairing)
            if pair is not None:
                about = {"setting": setting, "learner": learner, "pairing": pairing}
                yield setting, similarities(*pair, about)


def _complete(study: Study, rows: Sequence[Row]) -> bool:
    """Whether every source is there: some may have had no model yet."""
    return {(row["source"], row["target"]) for row in rows} >= {
        (s, t) for s in study.plan.sources for t in study.plan.targets
    }


def _embedded(
    study: Study, learner: str, pairing: str
) -> tuple[Mapping[str, TaskEmbedding], Mapping[str, TaskEmbedding]] | None:
    """Targets and candidates; None where the pairing makes no sense for the learner.

    All models have read the same pool, so ``text`` cannot tell them apart.  TaskEmb's own way is the Fisher of the
    model that was tuned on the task; TuPaTE's own way, where all sources share one base, is tuning that base on the
    task's rows, which is what DTE-DTE does; ``response`` has no earlier way of its own.
    """
    space = study.space(learner)
    if pairing == DTE:
        return study.targets(space), study.sources(space)
    if pairing == MTE:
        return None if learner == "text" else (study.targets(space), study.source_models(space))
    if learner == "fisher":
        return tuned_fishers(study)
    return (study.targets(space), study.sources(space)) if learner.startswith("tuned:") else None


def tables(rows: Sequence[Row], judge: Judge | None) -> dict[str, list[Row]]:
    """All targets and sources; one class of sources; targets of another domain; and two other measures."""
    if judge is None:
        return {}
    return {
        "pairings": judge.table(rows, BY),
        "pairings_in_class": judge.table(rows, BY, candidates=IN_CLASS),
        "pairings_cross_domain": judge.table(rows, BY, of=CROSS_DOMAIN),
        "pairings_centred": judge.table(rows, BY, score="centred"),
        "pairings_rrf": judge.table(rows, BY, score="rrf"),
    }


PART = Part(
    "pairings",
    "Which source to start from",
    "Sources of every target ordered by cosine. *MTE-DTE*: sources are models that answered the pool, the target is a "
    "data set; *DTE-DTE*: both are data sets; *original*: as in the paper that the learner comes from.",
    measure,
    tables,
    ("pairings", "pairings_in_class", "pairings_cross_domain", "pairings_centred", "pairings_rrf"),
)
