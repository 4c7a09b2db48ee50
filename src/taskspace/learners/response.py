"""``response``: a task is how a small probe of it answers the shared pool (ours).

The inner product of two vectors is the linear CKA of the two answer functions over the pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from taskspace.errors import DataError, SettingError
from taskspace.learners._coordinates import Coordinates, Matrix, cached, fit_coordinates, raw_features
from taskspace.learners._learner import Embed, Ground, Learned, require_at_least

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from taskspace.learners._evidence import Evidence
    from taskspace.task import Inputs

_SHUFFLES, _COLUMNS = 19, 16


@dataclass(frozen=True)
class Response:
    """Ridge probe B float64[q, c] in the pool's whitened coordinates; the vector is the upper triangle of B Bᵀ.

    With Φ the coordinates of the pool (ΦᵀΦ = m·I), the probe answers the pool with R = ΦB, so that
    ‖R_aᵀR_b‖² = m²·<B_aB_aᵀ, B_bB_bᵀ>: the cosine of two vectors is the linear CKA of the answers, for any
    numbers of classes, and no order or name of a class matters.

    ``components`` is q (the vector has q(q+1)/2 numbers); ``shrinkage`` the ridge strength λ, against
    normal equations divided by n.
    """

    name: ClassVar[str] = "response"
    needs_labels: ClassVar[bool] = True

    components: int = 128
    shrinkage: float = 10.0

    def __post_init__(self) -> None:
        require_at_least(1, components=self.components)
        if not isinstance(self.shrinkage, int | float) or not 0 < self.shrinkage < np.inf:  # pyright: ignore[reportUnnecessaryIsInstance]  # callers need not be typed
            raise SettingError(f"shrinkage={self.shrinkage!r} is not a number above 0; give one")

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"components": self.components, "shrinkage": float(self.shrinkage)}

    def fit(self, ground: Ground) -> Coordinates:
        """The space's coordinates."""
        return pool_coordinates(ground, self.components)

    def bind(self, ground: Ground) -> Embed:
        places = Places(ground, self.fit(ground) if ground.fitted is None else ground.fitted)

        def embed(evidence: Evidence) -> Learned:
            return respond(places.of(evidence.inputs), evidence, self.shrinkage)

        return embed


class Places:
    """Where texts stand in a space; the pool's are kept, since every labeler answers it again."""

    def __init__(self, ground: Ground, coordinates: Coordinates) -> None:
        self._ground = ground
        self._coordinates = coordinates
        self._rows = {digest: row for row, digest in enumerate(ground.pool.inputs.digests)}

    def of(self, inputs: Inputs) -> Matrix:
        """float64[n, q]."""
        if not self._rows.keys() >= set(inputs.digests):
            return self._computed(inputs)
        return self._pool[[self._rows[digest] for digest in inputs.digests]]

    @cached_property
    def _pool(self) -> Matrix:
        return self._computed(self._ground.pool.inputs)

    def _computed(self, inputs: Inputs) -> Matrix:
        return self._coordinates.of(raw_features(self._ground.surrogate, inputs, progress=self._ground.progress))


def respond(x: Matrix, evidence: Evidence, shrinkage: float) -> Learned:
    """The vector of a task whose texts stand at ``x`` float64[n, q]; zero where the answers never vary.

    Reports ``skill``, the share of the answers' variance that the probe predicts when each text is left
    out in turn (below 0: worse than the mean), and ``effective_rank``, the number of directions that
    carry the answers.
    """
    if len(evidence) < 2:
        raise DataError(f"{len(evidence)} distinct answered texts are too few to learn from; give at least two")
    y = (evidence.values - evidence.weights @ evidence.values) * evidence.varies
    smoother = fit_smoother(x, evidence.weights, shrinkage)
    probe = smoother.solve @ y
    skill = float(smoother.skills(y[:, None, :])[0])
    if evidence.kind == "classes":
        probe = probe - probe.mean(axis=1, keepdims=True)
    gram = probe @ probe.T
    size = float(np.linalg.norm(gram))
    rank = float(np.trace(gram) ** 2 / size**2) if size else 0.0
    report = {
        "rows": len(evidence), "skill": round(skill, 4), "effective_rank": round(rank, 3),
        "informative": size > 0 and skill > 0 and beats_noise(smoother, y),
    }  # fmt: skip
    return Learned({"response": upper_triangle(gram / (size or 1.0)).astype(np.float32)}, report)


@dataclass(frozen=True, eq=False)
class Smoother:
    """Weighted ridge at texts that stand at ``x`` float64[n, q], for whatever answers they get.

    ``mean`` float64[q] was taken off ``x``; ``solve`` float64[q, n] maps centred answers to the probe B of
    (XᵀWX + λI)B = XᵀWY; ``leverage`` float64[n] holds each row's own share, the intercept's included.
    """

    x: Matrix
    mean: NDArray[np.float64]
    weights: NDArray[np.float64]
    solve: Matrix
    leverage: NDArray[np.float64]

    def skills(self, y: Matrix) -> NDArray[np.float64]:
        """float64[k]: for centred answers y [n, k, c], the share of variance predicted when each row is left out."""
        flat = y.reshape(len(y), -1)
        left_out = (flat - self.x @ (self.solve @ flat)) / np.clip(1 - self.leverage, 1e-6, None)[:, None]
        mean_out = flat / np.clip(1 - self.weights, 1e-6, None)[:, None]
        missed, total = ((self.weights @ part**2).reshape(y.shape[1:]).sum(axis=1) for part in (left_out, mean_out))
        return np.where(total > 0, 1 - missed / np.where(total > 0, total, 1.0), 0.0)


def fit_smoother(x: Matrix, weights: NDArray[np.float64], shrinkage: float) -> Smoother:
    """Ridge at ``x`` float64[n, q] under ``weights`` float64[n] (sum 1); nothing is known of the answers yet."""
    mean = weights @ x
    x = x - mean
    weighted = x * weights[:, None]
    solve = np.linalg.solve(weighted.T @ x + shrinkage * np.eye(x.shape[1]), weighted.T).astype(np.float64)
    return Smoother(x, mean, weights, solve, np.einsum("nq,qn->n", x, solve) + weights)


def beats_noise(smoother: Smoother, y: Matrix) -> bool:
    """Whether the probe's skill exceeds that on each of 19 shuffles of the answers: 1 chance in 20 for pure noise.

    More than 16 columns are first mixed into 16 with random signs, for the answers and the shuffles alike.
    """
    rng = np.random.default_rng(0)
    if y.shape[1] > _COLUMNS:
        y = y @ rng.choice([-1.0, 1.0], size=(y.shape[1], _COLUMNS))
    orders = [np.arange(len(y)), *(rng.permutation(len(y)) for _ in range(_SHUFFLES))]
    shuffled = np.stack([y[order] for order in orders], axis=1)
    skills = smoother.skills(shuffled - np.tensordot(smoother.weights, shuffled, axes=1))
    return bool(skills[0] > max(0.0, skills[1:].max()))


def upper_triangle(gram: Matrix) -> NDArray[np.float64]:
    """float64[q(q+1)/2] of a symmetric matrix, off-diagonals times √2, so that inner products stay."""
    rows, columns = np.triu_indices(len(gram))
    return gram[rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2.0))


def pool_coordinates(ground: Ground, components: int) -> Coordinates:
    """The space's coordinates: fitted once, then read from the cache."""
    surrogate, pool = ground.surrogate, ground.pool

    def fit() -> Coordinates:
        raw = raw_features(surrogate, pool.inputs, progress=ground.progress)
        return fit_coordinates(raw, pool.inputs.is_pair, layers=len(surrogate.layers), components=components)

    return cached(fit, key=[surrogate.fingerprint, pool.fingerprint, components])
