"""Tasks beyond classification: grades read as numbers, answers written as texts, a second text to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.bench.fute.parts._kin import chance_of, reciprocal_rank, shown_rows
from taskspace.bench.fute.parts._part import Part
from taskspace.labels import Classes, Numbers, Targets
from taskspace.ranking.metrics import bootstrap
from taskspace.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from taskspace.bench.fute.judging import Judge
    from taskspace.bench.fute.parts._part import Kept
    from taskspace.bench.fute.study import Study
    from taskspace.embedding import TaskEmbedding
    from taskspace.prompting.study.rows import Row

CLASSES, NUMBERS, NAMES, SECOND = "classes", "numbers", "names as texts", "second text"
_LEARNERS = ("response", "text")


def measure(study: Study, kept: Kept) -> Iterator[tuple[str, list[Row]]]:
    """Where each task in another form finds its own data set, by learner and form."""
    every = tuple(dict.fromkeys((*study.plan.names, *study.plan.graded)))
    families = {name: study.tasks.family(name) for name in every}
    for learner in _LEARNERS:
        wanted = {form: [n for n in every if _has(study, n, form)] for form in (CLASSES, NUMBERS, NAMES, SECOND)}
        wanted = {form: names for form, names in wanted.items() if names and f"{learner}, {form}" not in kept}
        if not wanted:
            continue
        space = study.space(learner)
        sets = study.named(space, every, "in classes", lambda name: shown_rows(study, name))
        for form, names in wanted.items():
            study.tell(f"tasks: {learner}, {form}")
            made = study.named(space, names, f"as {form}", lambda name, form=form: _as(_others(study, name), form))
            setting = f"{learner}, {form}"
            yield (
                setting,
                [
                    {"setting": setting, "learner": learner, "form": form, **_found(name, each, sets, families)}
                    for name, each in made.items()
                ],
            )


def _has(study: Study, name: str, form: str) -> bool:
    """Only grades are numbers, and only pairs have a second text."""
    if form == NUMBERS:
        return name in study.plan.graded
    return form != SECOND or study.tasks.pairs(name)


def _others(study: Study, name: str) -> Task:
    """As many rows as a target has, none of them shown."""
    return study.tasks.others(name, len(shown_rows(study, name)), study.plan.shots)


def _as(task: Task, form: str) -> Task:
    labels, inputs = task.stated_labels, task.inputs
    assert isinstance(labels, Classes)
    if form == NUMBERS:
        return Task(inputs.texts, Numbers(labels.codes.astype(np.float64)), inputs.pairs, task.name)
    if form == NAMES:
        said = tuple(labels.names[code].replace("_", " ") for code in labels.codes)
        return Task(inputs.texts, Targets(said), inputs.pairs, task.name)
    return task if form == CLASSES else Task(inputs.texts, Targets(inputs.pairs), None, task.name)


def _found(name: str, made: TaskEmbedding, sets: Mapping[str, TaskEmbedding], families: Mapping[str, str]) -> Row:
    """Where the task's own data set in classes stands, and whether the first is of its family."""
    names = list(sets)
    scores = np.array([made.similarity(each) for each in sets.values()])
    first = names[int(scores.argmax())]
    kin = [n for n in names if families[n] and families[n] == families[name]]
    return {
        "task": name, "nearest": first, "reciprocal_rank": reciprocal_rank(scores, names.index(name)),
        "family_first": float(first in kin or first == name), "family_chance": max(1, len(kin)) / len(names),
        "among": len(names), "informative": int(made.informative),
    }  # fmt: skip


def tables(rows: Sequence[Row], judge: Judge | None) -> dict[str, list[Row]]:
    """Mean reciprocal ranks per form and learner."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((str(row["form"]), str(row["learner"])), []).append(row)
    found: list[Row] = []
    for (form, learner), group in groups.items():
        interval = bootstrap([float(row["reciprocal_rank"] or 0) for row in group])
        family = [float(row["family_first"] or 0) for row in group]
        found.append({
            "form": form, "learner": learner, "tasks": len(group),
            "informative": sum(int(row["informative"] or 0) for row in group),
            "mrr": interval.mean, "mrr_low": interval.low, "mrr_high": interval.high,
            "mrr_chance": chance_of(int(group[0]["among"] or 1)), "family_first": float(np.mean(family)),
            "family_chance": float(np.mean([float(row["family_chance"] or 0) for row in group])),
        })  # fmt: skip
    return {"tasks": found}


PART = Part(
    "tasks",
    "Tasks beyond classification",
    "Each task in another form, from rows that are not shown, looks for its own data set in classes among all: *MRR* "
    "is the mean of 1/rank, *family first* how often the nearest is of its family. `text` reads no labels: what it "
    "finds, the subject alone tells.",
    measure,
    tables,
    ("tasks",),
)
