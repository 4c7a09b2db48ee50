"""How much each vector counts, by rules that need no data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from taskspace.merging._vector import TaskVector


def coefficients(vectors: Sequence[TaskVector], rule: str | Sequence[float]) -> tuple[float, ...]:
    """A weight for each vector: by the name of a rule, or as given.

    Raises :class:`SettingError` for an unknown rule, another count, and what is no finite number.
    """
    if isinstance(rule, str):
        if rule not in RULES:
            raise SettingError(f"there is no rule of weights {rule!r}{did_you_mean(rule, RULES)}")
        return RULES[rule](vectors)
    if len(rule) != len(vectors):
        raise SettingError(f"{len(rule)} weights were given for {len(vectors)} vectors; give one each")
    for weight in rule:
        if not math.isfinite(weight):
            raise SettingError(f"a weight is {weight}; give finite numbers")
    return tuple(float(weight) for weight in rule)


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


def lasso(vectors: Sequence[TaskVector], target: TaskVector, penalty: float) -> tuple[float, ...]:
    """``min |sum v_t tau_t - target|^2 + penalty * sum |v_t|``, without a forward pass.

    Coordinate descent on the matrix of inner products; a vector that does not help gets exactly 0.
    """
    if penalty < 0:
        raise SettingError(f"the penalty is {penalty}; give at least 0")
    gram = np.array([[one @ two for two in vectors] for one in vectors])
    pull = np.array([vector @ target for vector in vectors])
    found = np.zeros(len(vectors))
    for _ in range(10_000):
        before = found.copy()
        for t in np.flatnonzero(np.diag(gram)):
            rest = pull[t] - gram[t] @ found + gram[t, t] * found[t]
            found[t] = np.sign(rest) * max(abs(rest) - penalty / 2, 0) / gram[t, t]
        if np.max(np.abs(found - before), initial=0) <= 1e-12 * max(np.max(np.abs(found), initial=0), 1):
            break
    return tuple(float(weight) for weight in found)
