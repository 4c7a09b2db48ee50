"""TransRate: how many nats fewer the features of a class take than those of all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import SettingError
from taskspace.ranking.estimators._inputs import centred, sample

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from taskspace.ranking.estimators._inputs import TargetLabels


def transrate(
    features: ArrayLike,
    labels: ArrayLike | TargetLabels,
    *,
    eps: float = 1e-4,
    scaled: bool = True,
    by_share: bool = True,
) -> float:
    """R(Z, ε) - R(Z, ε | Y) in nats, with R(Z, ε) = ½ log det(I + ZᵀZ / nε) the rate that codes a row to within ε.

    Huang, Huang, Rong, Yang and Wei, "Frustratingly Easy Transferability Estimation" (ICML 2022, arXiv 2106.09362).
    Z are the centred features [n, d]; a class is not centred again.  Read: the authors' repository
    (Long-Kai/TransRate) and, in several public copies, the ten lines that the paper prints.  They differ.  The ten
    lines take the plain mean over classes (``by_share=False``) and Z as it is (``scaled=False``).  The repository
    weighs each class by its share of the rows and, in its experiments, divides the eigenvalues of ZᵀZ/n by their sum,
    so that ε means the same for every candidate: these are the defaults here.  It further projects Z, divides by the
    rank of ZᵀZ and takes another ε for each target, from 1e-5 to 5e-3; this is not followed.

    Where d exceeds the rows of a class, the rate of all rows has directions that no class can have, and wide noise
    scores well: read it beside another estimator.  Constant features score 0.

    Raises :class:`DataError` as :func:`sample` has it, and :class:`SettingError` where ``eps`` is not above 0.
    """
    if not 0 < eps < np.inf:
        raise SettingError(f"eps is {eps}; give a number above 0")
    table, target = sample(features, labels, classes=True)
    values = centred(table)
    length = float(np.sqrt(np.einsum("ij,ij->", values, values) / len(values)))
    if not length:
        return 0.0
    if scaled:
        values /= length
    counts = target.counts
    weights = counts / counts.sum() if by_share else np.full(len(counts), 1 / len(counts))
    order = np.argsort(target.codes, kind="stable")
    classes = np.split(values[order], np.cumsum(counts)[:-1])
    return coding_rate(values, eps) - float(weights @ [coding_rate(rows, eps) for rows in classes])


def coding_rate(values: NDArray[np.float64], eps: float) -> float:
    """½ log det(I + ZᵀZ / nε) of ``values`` float64[n, d], on the shorter side of Z."""
    rows, width = values.shape
    gram = values @ values.T if rows <= width else values.T @ values
    return float(np.linalg.slogdet(np.eye(len(gram)) + gram / (rows * eps))[1]) / 2
