"""From ten models to a thousand: what an embedding and a question cost, and whether kin are still found."""

from __future__ import annotations

import time
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from taskspace.atlas import Atlas
from taskspace.bench.fute.models import bag_of_words
from taskspace.bench.fute.parts._kin import chance_of, reciprocal_rank, shown_rows, single_tasks
from taskspace.bench.fute.parts._part import Part
from taskspace.bench.fute.spaces import Item, embedded
from taskspace.labels import Classes
from taskspace.ranking.metrics import bootstrap
from taskspace.task import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.bench.fute.judging import Judge
    from taskspace.bench.fute.models import SourceModel
    from taskspace.bench.fute.parts._part import Kept
    from taskspace.bench.fute.study import Study
    from taskspace.embedding import TaskEmbedding
    from taskspace.prompting.study.rows import Row
    from taskspace.space import Space
    from taskspace.task import Task

_ROWS, _CLASSES, _ASKED = (60, 600), 20, 5
"""A model's rows at least and at most, its classes at most, and how often a question is timed."""


def measure(study: Study, kept: Kept) -> Iterator[tuple[str, list[Row]]]:
    """What a number of models costs, and whether kin are found among them."""
    plan, names = study.plan, single_tasks(study)
    counts = [count for count in sorted(plan.counts) if str(count) not in kept]
    if not counts:
        return
    pool = Pool(study.corpus.draw(2 * plan.domain_size, study.tasks.letters(plan.names)))
    space = study.space("response", pool)
    sets = {name: space.embed(shown_rows(study, name)) for name in names}
    for name in names:
        _rest(study, name)  # so that reading files counts for no model
    of = [names[_task_of(i, len(names))] for i in range(max(counts))]
    items = [Item(f"model {i}", lambda i=i, name=name: _model(study, name, i)) for i, name in enumerate(of)]
    path = study.folder / "scale.db"
    for count in counts:
        seconds = _fill(study, space, items[:count], path)
        with Atlas(path) as atlas:
            models = [atlas.get(item.name, space=space.identity) for item in items[:count]]
        row: Row = {"setting": str(count), "models": count, "tasks": len(set(of[:count])), "embed_ms": seconds}
        row |= {"vectors_mb": sum(m.vector.nbytes for m in models) / 1e6, "atlas_mb": path.stat().st_size / 1e6}
        yield str(count), [row | _asked(path, sets[names[0]]) | _quality(models, of[:count], sets)]


def _fill(study: Study, space: Space, items: Sequence[Item], path: Path) -> float | None:
    """Milliseconds of computing a model, from its rows to the atlas; None where all were there."""
    with Atlas(path) as atlas:
        new = items[len(atlas) :]
        began = time.process_time()
        embedded(space, new, atlas, lambda _: None)
        seconds = time.process_time() - began
    study.tell(f"scale: {len(items)} models, {len(new)} of them new")
    return 1000 * seconds / len(new) if new else None


def _asked(path: Path, target: TaskEmbedding) -> Row:
    """Seconds of computing until all are ranked for a target: from a file just opened, and when asked again."""
    with Atlas(path) as atlas:
        times: list[float] = []
        for _ in range(_ASKED):
            began = time.process_time()
            atlas.near(target, k=None, space=target.space)
            times.append(time.process_time() - began)
    return {"rank_first_s": times[0], "rank_again_s": float(np.median(times[1:]))}


def _quality(models: Sequence[TaskEmbedding], of: Sequence[str], sets: Mapping[str, TaskEmbedding]) -> Row:
    """Mean reciprocal ranks of a model's nearest kin among all others, and of its own data set among the data sets."""
    vectors, names = _unit(models), np.array(of)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    kin = (names[:, None] == names) & ~np.eye(len(names), dtype=np.bool_)
    asked = np.flatnonzero(kin.any(axis=1))
    nearest = bootstrap([1 / (1 + (cosines[i] > cosines[i][kin[i]].max()).sum()) for i in asked])
    data = vectors @ _unit(list(sets.values())).T
    own = bootstrap([reciprocal_rank(row, list(sets).index(name)) for row, name in zip(data, of, strict=True)])
    return {
        "kin_mrr": nearest.mean, "kin_mrr_low": nearest.low, "kin_mrr_high": nearest.high,
        "kin_chance": float(np.mean([_first_of(int(kin[i].sum()), len(names) - 1) for i in asked])),
        "data_mrr": own.mean, "data_mrr_low": own.low, "data_mrr_high": own.high, "data_chance": chance_of(len(sets)),
    }  # fmt: skip


def _unit(embeddings: Sequence[TaskEmbedding]) -> NDArray[np.float64]:
    vectors = np.stack([each.vector for each in embeddings]).astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1.0)


def _first_of(wanted: int, others: int) -> float:
    """The mean of 1/rank of the first of some wanted ones in a random order of all."""
    places = range(1, others - wanted + 2)
    return sum(comb(others - place, wanted - 1) / place for place in places) / comb(others, wanted)


def _task_of(model: int, tasks: int) -> int:
    """Two models of a task, then two of the next: so that among the first ten each has a kin."""
    return model // 2 % tasks


def _model(study: Study, name: str, number: int) -> SourceModel:
    """A naive Bayes on a random part of a task: some of its rows, and of its classes."""
    rng = np.random.default_rng([study.plan.seed, number])
    part = _some_classes(_rest(study, name), rng)
    size = int(rng.integers(_ROWS[0], _ROWS[1] + 1))
    part = part.take(rng.permutation(len(part))[:size])
    return bag_of_words(part, "bayes", name=f"model {number}")


def _rest(study: Study, name: str) -> Task:
    """The rows of a task that its data set is not embedded from; read once."""
    return study.tasks.others(name, len(shown_rows(study, name)))


def _some_classes(task: Task, rng: np.random.Generator) -> Task:
    labels = task.stated_labels
    assert isinstance(labels, Classes)
    there = labels.present()
    count = int(rng.integers(2, min(len(there), _CLASSES) + 1))
    chosen = rng.permutation(there)[:count]
    return task.take(np.flatnonzero(np.isin(labels.codes, chosen)))


def tables(rows: Sequence[Row], judge: Judge | None) -> dict[str, list[Row]]:
    """A row per number of models."""
    return {"scale": [{k: v for k, v in row.items() if k != "setting"} for row in rows]}


PART = Part(
    "scale",
    "From ten models to a thousand",
    "Naive Bayes models, each of random rows and classes of a task, embedded by `response` through one pool of "
    "unlabelled texts. *MRR of kin*: 1/rank of the nearest model of the same task among all others; *of own data*: "
    "of a model's own data set among all. *Embed* is from a model's rows to the atlas; times are of the processor.",
    measure,
    tables,
    ("scale",),
)
