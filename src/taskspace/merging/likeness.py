"""What is near what in weight space, and what would interfere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.merging._vector import joined_base
from taskspace.merging.measures import inner_products, stretch_of
from taskspace.merging.methods import Inputs
from taskspace.merging.methods._table import require_share
from taskspace.merging.methods.cuts import Cuts
from taskspace.merging.methods.spectral import noise
from taskspace.merging.window import Window, windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from taskspace.merging._vector import TaskVector


def gram(vectors: Sequence[TaskVector]) -> NDArray[np.float64]:
    """float64[T, T]: inner products over all tensors; factor pairs are not multiplied out for them."""
    joined_base(vectors)
    found = np.zeros((len(vectors), len(vectors)))
    for i, one in enumerate(vectors):
        for j, two in enumerate(vectors[: i + 1]):
            found[i, j] = found[j, i] = sum(inner_products(one.carrier, two.carrier).values())
    return found


def cosines(vectors: Sequence[TaskVector]) -> NDArray[np.float64]:
    """float64[T, T]: cosines over all tensors; 0 with a vector of zeros, 1 with itself otherwise."""
    inner = gram(vectors)
    norms = np.sqrt(np.maximum(np.diag(inner), 0))
    scale = np.outer(norms, norms)
    return np.clip(np.divide(inner, scale, out=np.zeros_like(inner), where=scale > 0), -1, 1)


def mask_overlap(one: TaskVector, two: TaskVector, *, density: float = 0.01) -> float:
    """Jaccard overlap, in [0, 1], of the places of the ``density`` largest changes of each whole vector.

    Skill localization (arXiv 2302.06600): where few changes carry a task, tasks that share places share the skill.
    """
    require_share("density", density)
    inputs = _inputs([one, two])
    cuts = Cuts(inputs, density, model=True)
    both = either = 0
    for window in _all(inputs):
        first, second = (trimmed != 0 for trimmed in cuts.trimmed(window))
        both += int(np.count_nonzero(first & second))
        either += int(np.count_nonzero(first | second))
    return both / either if either else 0.0


def sign_conflict(one: TaskVector, two: TaskVector) -> float:
    """The share, in [0, 1], of numbers that both change and that they push apart."""
    inputs = _inputs([one, two])
    against = changed = 0
    for window in _all(inputs):
        first, second = inputs.read(window)
        product = np.sign(first) * np.sign(second)
        against += int(np.count_nonzero(product < 0))
        changed += int(np.count_nonzero(product))
    return against / changed if changed else 0.0


def subspace_overlap(one: TaskVector, two: TaskVector, *, rank: int = 8) -> dict[str, float]:
    """``|U1' U2|^2 / k`` of the first left singular directions of each matrix, in [0, 1] (LoRA, section 7.2).

    ``rank`` of each, or as many as it has, and k the smaller number: 0 where one has none.  Of random directions of m
    dimensions it is the larger number over m.
    """
    _require_rank(rank)
    found: dict[str, float] = {}
    for name, matrices in _matrices([one, two]):
        u, v = (_directions(matrix, rank)[0] for matrix in matrices)
        k = min(u.shape[1], v.shape[1])
        found[name] = float(np.sum((u.T @ v) ** 2) / k) if k else 0.0
    return found


def interference(vectors: Sequence[TaskVector], *, rank: int | None = None) -> dict[str, float]:
    """Singular task interference of each matrix, ``|(U'U - I) S (V'V - I)|_1`` (arXiv 2412.00081, equation 3).

    U and V hold the first ``rank`` directions of every task side by side (an equal part for each by default), or as
    many as it has; 0 where no task's directions meet another's.
    """
    if rank is not None:
        _require_rank(rank)
    found: dict[str, float] = {}
    for name, matrices in _matrices(vectors):
        k = rank or max(min(matrices[0].shape) // len(matrices), 1)
        parts = [_directions(matrix, k) for matrix in matrices]
        u, s, v = (np.concatenate(side, axis=-1) for side in zip(*parts, strict=True))
        own = np.eye(len(s))
        found[name] = float(np.abs((u.T @ u - own) @ np.diag(s) @ (v.T @ v - own)).sum())
    return found


@dataclass(frozen=True)
class Shape:
    """Of one matrix: ``effective_rank`` is (sum s)^2 / sum s^2, ``sparsity`` the share of exact zeros.

    Sparse changes of nearly full rank, as reinforcement learning leaves them, should not be cut to low rank.
    """

    norm: float
    effective_rank: float
    sparsity: float


def shapes(vector: TaskVector) -> dict[str, Shape]:
    """The shape of each matrix that the vector changes."""
    found: dict[str, Shape] = {}
    for name, (matrix,) in _matrices([vector]):
        s = np.linalg.svd(matrix, compute_uv=False)
        energy = float(np.sum(s**2))
        found[name] = Shape(
            norm=energy**0.5,
            effective_rank=float(np.sum(s)) ** 2 / energy if energy else 0.0,
            sparsity=float(np.mean(matrix == 0)),
        )
    return found


def _inputs(vectors: Sequence[TaskVector]) -> Inputs:
    joined_base(vectors)
    return Inputs(tuple(vector.carrier for vector in vectors), (1.0,) * len(vectors))


def _all(inputs: Inputs) -> Iterator[Window]:
    for name, spec in inputs.layout.items():
        yield from windows(name, spec, stretch_of(*inputs.carriers, name=name, layout=inputs.layout))


def _matrices(vectors: Sequence[TaskVector]) -> Iterator[tuple[str, list[NDArray[Any]]]]:
    """Every matrix of them all, float64[m, n] each."""
    inputs = _inputs(vectors)
    for name, spec in inputs.layout.items():
        if len(spec.shape) == 2 and spec.size:
            yield name, [tensor.astype(np.float64) for tensor in inputs.tensors(name)]


def _directions(
    matrix: NDArray[np.float64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """U [m, k], s [k] and V [n, k] of the first ``most`` directions, less those that are rounding."""
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    kept = min(most, int(np.count_nonzero(s > noise(s[0], matrix.shape))))
    return u[:, :kept], s[:kept], vt[:kept].T


def _require_rank(rank: int) -> None:
    if rank < 1:
        raise SettingError(f"rank is {rank}; give at least 1")
