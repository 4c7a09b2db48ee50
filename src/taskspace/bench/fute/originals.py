"""TaskEmb as it was published: the Fisher information of the model that was fine-tuned on a task (Vu et al. 2020)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.bench.fute.models import tuned_state
from taskspace.embedding import TaskEmbedding
from taskspace.errors import DataError, TaskspaceError
from taskspace.learners import Evidence
from taskspace.learners._head import Head
from taskspace.learners.fisher import Fisher, fisher_diagonal
from taskspace.tuning.fine_tuning import FineTuned, fine_tune

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from taskspace.bench.fute.study import Study
    from taskspace.embedding import SpaceId
    from taskspace.surrogates import Surrogate
    from taskspace.task import Task

OWN_SPACE = "fisher of the tuned model"
"""How the space is called: its vectors do not compare with those of the frozen base model."""


def tuned_fishers(study: Study) -> tuple[dict[str, TaskEmbedding], dict[str, TaskEmbedding]]:
    """Targets and sources by task name, each by the model tuned on it: a source's as it was kept, a target's made here.

    A target's is tuned on its few rows from the plain base model.  Vectors are kept in the atlas; a source without a
    tuned model is told of and left out.
    """
    targets = _each(study, study.plan.targets, "tuned target", lambda name: _tuned_here(study, name))
    sources = _each(study, study.plan.sources, "tuned source", lambda name: _kept(study, name))
    return targets, sources


def _tuned_here(study: Study, name: str) -> TaskEmbedding:
    task = study.target_rows(name)
    tuned = fine_tune(study.surrogate, task, study.plan.on_target, seed=study.plan.seed)
    return _embedding(study, f"{name} tuned target", task, tuned)


def _kept(study: Study, name: str) -> TaskEmbedding:
    tuned = FineTuned.of(study.surrogate, tuned_state(study.models, name))
    return _embedding(study, f"{name} tuned source", study.source_rows(name), tuned)


def _each(
    study: Study, names: Iterable[str], suffix: str, make: Callable[[str], TaskEmbedding]
) -> dict[str, TaskEmbedding]:
    identity, found = _identity(study), dict[str, TaskEmbedding]()
    there = {entry.name for entry in study.atlas.entries() if entry.space == identity.fingerprint}
    for name in names:
        key = f"{name} {suffix}"
        try:
            if key not in there:
                study.atlas.add(make(name))
                study.tell(f"{OWN_SPACE}: {key} embedded")
            found[name] = study.atlas.get(key, space=identity)
        except TaskspaceError as error:
            study.tell(f"{OWN_SPACE}: {name} is left out, since {error}")
    return found


def _identity(study: Study) -> SpaceId:
    plan = study.plan
    rows = {"source_rows": plan.source_rows, "shots": plan.shots}
    space = study.space("fisher").identity
    return replace(space, learner=OWN_SPACE, settings={**space.settings, **rows})


def _embedding(study: Study, name: str, task: Task, tuned: FineTuned) -> TaskEmbedding:
    learner = Fisher(**study.plan.learners.get("fisher", {}))
    evidence = _evidence(task, learner.rows, study.plan.seed)
    weight, bias = (tensor.detach().double().cpu().numpy() for tensor in (tuned.head.weight, tuned.head.bias))
    if len(bias) != evidence.values.shape[1]:
        raise DataError(f"the model of {name!r} has {len(bias)} outputs, not one for each class; tune it anew")
    with wearing(study.surrogate, tuned.body) as surrogate:
        squares = fisher_diagonal(
            surrogate, evidence, evidence.values, Head(weight, bias, "classes"), labels=learner.labels, pooling="rows",
            seed=study.plan.seed,
        )  # fmt: skip
    roots = {layer: np.sqrt(square) for layer, square in sorted(squares.items())}
    size = float(np.sqrt(sum(float((root**2).sum()) for root in roots.values()))) or 1.0
    return TaskEmbedding(
        name=name, kind="model", space=_identity(study),
        vector=(np.concatenate(list(roots.values())) / size).astype(np.float32),
        blocks=tuple((layer, len(root)) for layer, root in roots.items()), content=task.fingerprint,
        provenance={"rows": len(evidence)},
    )  # fmt: skip


def _evidence(task: Task, rows: int, seed: int) -> Evidence:
    """At most ``rows`` rows with their classes in the order of the head's outputs, whether all of them occur or not."""
    task = task.take(np.sort(np.random.default_rng(seed).permutation(len(task))[:rows]))
    labels: Any = task.stated_labels
    values = np.eye(len(task.label_names))[labels.codes]
    return Evidence(task.inputs, values, np.full(len(task), 1 / len(task)), "classes")


@contextmanager
def wearing(surrogate: Surrogate, body: Any) -> Generator[Surrogate]:
    """The surrogate with the weights of ``body`` for a while; its feature cache is not to be used meanwhile."""
    own = {key: tensor.clone() for key, tensor in surrogate.module.state_dict().items()}
    try:
        surrogate.module.load_state_dict(body.state_dict())
        yield surrogate
    finally:
        surrogate.module.load_state_dict(own)
