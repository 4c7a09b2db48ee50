"""How much each vector counts, by rules that need no data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from taskspace.embedding import TaskEmbedding
from taskspace.errors import SettingError, did_you_mean
from taskspace.merging.likeness import gram as gram_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from taskspace.merging._vector import TaskVector


def coefficients(vectors: Sequence[TaskVector], rule: str | Sequence[float]) -> tuple[float, ...]:
    """A weight for each vector: by the name of a rule, or as given.

    Raises :class:`SettingError` for an unknown rule, another count, and what is no finite number.
    """
    if isinstance(rule, str):
        if rule not in RULES:
            raise SettingError(_unknown(rule))
        return RULES[rule](vectors)
    if len(rule) != len(vectors):
        raise SettingError(f"{len(rule)} weights were given for {len(vectors)} vectors; give one each")
    for weight in rule:
        if not math.isfinite(weight):
            raise SettingError(f"a weight is {weight}; give finite numbers")
    return tuple(float(weight) for weight in rule)


def _unknown(rule: str) -> str:
    if rule in _FOUND:
        return f"{rule!r} needs more than the vectors to find their weights; {_FOUND[rule]}"
    return f"there is no rule of weights {rule!r}{did_you_mean(rule, RULES)}"


def equal(vectors: Sequence[TaskVector]) -> tuple[float, ...]:
    """1 each."""
    return (1.0,) * len(vectors)


def by_norm(vectors: Sequence[TaskVector]) -> tuple[float, ...]:
    """``|tau_t|^2 / sum |tau_k|^2`` (MetaGPT, arXiv 2406.11385, equation 9): large vectors count more."""
    energies = np.array([vector @ vector for vector in vectors])
    if not energies.sum():
        raise SettingError("every vector is zero, so norms give no weights; use equal")
    return tuple(float(share) for share in energies / energies.sum())


RULES: dict[str, Callable[[Sequence[TaskVector]], tuple[float, ...]]] = {"equal": equal, "norm": by_norm}

_FOUND = {
    "lasso": "give what merging.coefficients.lasso(vectors, target, penalty) returns",
    "similarity": "give what merging.coefficients.weights_by_similarity(vectors, target) returns",
    "fit": "call merging.fitting.fit(vectors, base, objectives) in place of merge",
}
"""What to do for rules that need more than the vectors."""


def weights_by_similarity(
    vectors: Sequence[TaskVector] | Sequence[TaskEmbedding],
    target: TaskVector | TaskEmbedding,
    *,
    temperature: float = 0.1,
) -> tuple[float, ...]:
    """``softmax of cosine(vector, target) / temperature``: the nearer to the target, the more it counts (ours).

    Of embeddings, of whatever space, for :func:`~taskspace.merging.merge` of the vectors that they stand for: so a few
    labelled rows of the target, or a prompt, say how to mix adapters.  Or of the vectors themselves, exact, against one
    that was trained a little.  The weights sum to 1; as the temperature falls all of it goes to the nearest.

    Raises :class:`SettingError` for a temperature of 0 or less and for a mixture of both, :class:`SpaceMismatch` and
    :class:`WeightsError` for what lies in another space or has another base.
    """
    if not (temperature > 0 and math.isfinite(temperature)):
        raise SettingError(f"the temperature is {temperature}; give a number above 0")
    if not vectors:
        raise SettingError("no vector was given to weight; give at least one")
    heard = np.array([_cosine(vector, target) for vector in vectors]) / temperature
    raised = np.exp(heard - heard.max())
    return tuple(float(share) for share in raised / raised.sum())


def _cosine(one: TaskVector | TaskEmbedding, two: TaskVector | TaskEmbedding) -> float:
    if isinstance(one, TaskEmbedding) and isinstance(two, TaskEmbedding):
        return one.similarity(two)
    if isinstance(one, TaskEmbedding) or isinstance(two, TaskEmbedding):
        raise SettingError("an embedding was given beside a vector; embed all of them, or none")
    return one.cosine(two)


def lasso(vectors: Sequence[TaskVector], target: TaskVector, penalty: float) -> tuple[float, ...]:
    """``min |sum v_t tau_t - target|^2 + penalty * sum |v_t|``, without a forward pass.

    Coordinate descent on the matrix of inner products; a vector that does not help gets exactly 0.
    """
    if penalty < 0:
        raise SettingError(f"the penalty is {penalty}; give at least 0")
    products = gram_of([*vectors, target])
    gram, pull = products[:-1, :-1], products[:-1, -1]
    found = np.zeros(len(vectors))
    for _ in range(10_000):
        before = found.copy()
        for t in np.flatnonzero(np.diag(gram)):
            rest = pull[t] - gram[t] @ found + gram[t, t] * found[t]
            found[t] = np.sign(rest) * max(abs(rest) - penalty / 2, 0) / gram[t, t]
        if np.max(np.abs(found - before), initial=0) <= 1e-12 * max(np.max(np.abs(found), initial=0), 1):
            break
    return tuple(float(weight) for weight in found)
