"""Which pool: how many texts, from where, and whether they may be the tasks' own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.bench.fute.parts._kin import (
    kin_and_transfers,
    kin_beside_transfers,
    shown_rows,
    single_tasks,
    strangers,
)
from taskspace.bench.fute.parts._part import Part
from taskspace.task import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from taskspace.bench.fute.judging import Judge
    from taskspace.bench.fute.parts._part import Kept
    from taskspace.bench.fute.study import Study
    from taskspace.bench.fute.tasks import Corpus
    from taskspace.prompting.study.rows import Row

_PLACES = 6
"""Pools of one place: the places with the most texts."""

_BY = ("axis", "pool", "size")


def measure(study: Study, kept: Kept) -> Iterator[tuple[str, list[Row]]]:
    """How models find their data sets, and similarities of sources to targets, by pool."""
    names = single_tasks(study)
    pools = {f"{axis}: {label}, {len(texts)}": (axis, label, texts) for axis, label, texts in _pools(study, names)}
    missing = [setting for setting in pools if setting not in kept]
    models = strangers(study, names if missing else ())
    for setting in missing:
        study.tell(f"pools: {setting}")
        axis, label, texts = pools[setting]
        about = {"setting": setting, "axis": axis, "pool": label, "size": len(texts)}
        yield setting, kin_and_transfers(study, study.space("response", Pool(texts)), models, about)


def _pools(study: Study, names: Sequence[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Axis, label and texts of each pool; larger ones hold smaller ones."""
    plan, corpus = study.plan, study.corpus
    taken = study.tasks.letters(plan.names)
    every = corpus.draw(max(plan.sizes), taken)
    for size in dict.fromkeys(min(size, len(every)) for size in plan.sizes):
        yield "size", "everywhere", every[:size]
    yield "domain", "everywhere", every[: plan.domain_size]
    for place, texts in _places(corpus, plan.domain_size, taken):
        yield "domain", place, texts
    own = _own_texts(study, names, 2 * plan.domain_size)
    others = every[: len(own)]
    half = len(own) // 2
    yield "overlap", "none of the texts embedded", others
    yield "overlap", "half of it such texts", [*others[:half], *own[:half]]
    yield "overlap", "all of it such texts", own


def _places(corpus: Corpus, size: int, taken: set[str]) -> list[tuple[str, list[str]]]:
    """The places with the most texts that no task has, and ``size`` texts of each."""
    places = sorted(filter(None, set(corpus.places.values())))
    found = {place: corpus.draw(len(corpus.places), taken, place=place) for place in places}
    largest = sorted((place for place in places if len(found[place]) >= size), key=lambda p: -len(found[p]))
    return [(place, found[place][:size]) for place in largest[:_PLACES]]


def _own_texts(study: Study, names: Sequence[str], size: int) -> list[str]:
    """Texts that the data sets are embedded from, as many of each task."""
    tasks = [shown_rows(study, name) for name in names]
    texts = Pool.from_tasks(tasks, size=size, seed=study.plan.seed).inputs.texts
    return [texts[i] for i in np.random.default_rng(study.plan.seed).permutation(len(texts))]


def tables(rows: Sequence[Row], judge: Judge | None) -> dict[str, list[Row]]:
    """A row per pool."""
    return {"pools": kin_beside_transfers(rows, judge, _BY)}


PART = Part(
    "pools",
    "Other pools",
    "`response` on tasks of single texts. *MRR*: a TF-IDF model that saw none of the rows shown answers the pool and "
    "looks for its own data set; NDCG and regret: sources ordered as data sets (DTE-DTE), against the truth.",
    measure,
    tables,
    ("pools",),
)
