"""H-score: how much of the features' variance, each direction counted alike, lies between the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from taskspace.errors import SettingError
from taskspace.ranking.estimators._inputs import centred, sample
from taskspace.ranking.estimators._spectrum import Spectrum

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from taskspace.ranking.estimators._inputs import TargetLabels


def h_score(
    features: ArrayLike,
    labels: ArrayLike | TargetLabels,
    *,
    shrinkage: Literal["ledoit-wolf"] | float | None = "ledoit-wolf",
) -> float:
    """tr(cov(F)⁻¹ cov(E[F|y])) of ``features`` [n, d], between 0 and the number of classes less 1.

    ``shrinkage=None`` is the measure of Bao et al., "An Information-Theoretic Approach to Transferability in Task
    Transfer Learning" (ICIP 2019), with the pseudo-inverse.  Where d nears n it tells nothing: any features reach the
    bound.  So by default cov(F) is drawn towards a multiple of the identity by a share ρ, and cov(E[F|y]) is scaled
    by 1 - ρ: Ibrahim, Ponomareva and Mazumder, "Newer is not always better" (arXiv 2110.06893), read in public
    implementations.  ρ is Ledoit and Wolf's (2004), or the number given, from 0 to below 1.  Both covariances divide
    by n.  Constant features score 0.

    Raises :class:`DataError` as :func:`sample` has it, and :class:`SettingError` for another ``shrinkage``.
    """
    if not _is_shrinkage(shrinkage):
        raise SettingError(f"shrinkage {shrinkage!r} is not 'ledoit-wolf', None or a number from 0 to below 1")
    table, target = sample(features, labels, classes=True)
    values, classes = centred(table), target.columns / np.sqrt(target.counts)
    if not values.any():
        return 0.0
    if not shrinkage:
        return float(Spectrum.of(values, classes).shares.sum())
    gram = values @ values.T if len(values) <= values.shape[1] else values.T @ values
    share = ledoit_wolf(values, gram) if isinstance(shrinkage, str) else shrinkage
    return _shrunk(values, gram, classes, share)


def ledoit_wolf(values: NDArray[np.float64], gram: NDArray[np.float64]) -> float:
    """The share ρ for centred ``values`` float64[n, d], of which ``gram`` is FᵀF or FFᵀ.

    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices" (2004), section 3.2; all
    its sums follow from the lengths of the rows and the squares of either Gram matrix.
    """
    rows, width = values.shape
    if width == 1:
        return 0.0
    lengths = np.einsum("ij,ij->i", values, values)
    squares = float(np.einsum("ij,ij->", gram, gram)) / rows**2
    mean = float(lengths.sum()) / rows / width
    distance = squares / width - mean**2
    noise = (float(lengths @ lengths) / rows - squares) / (rows * width)
    return min(max(noise, 0.0) / distance, 1.0) if distance > 0 else 1.0


def _shrunk(
    values: NDArray[np.float64], gram: NDArray[np.float64], classes: NDArray[np.float64], share: float
) -> float:
    """(1-ρ) tr(C⁻¹ M Mᵀ) with C = (1-ρ) FᵀF/n + ρμ I and M = FᵀP/√n, solved on the shorter side of F."""
    rows, width = values.shape
    mean = float(np.einsum("ij,ij->", values, values)) / rows / width
    drawn = (1 - share) * gram / rows + share * mean * np.eye(len(gram))
    if rows <= width:
        between = float(np.einsum("ij,ij->", classes, gram @ np.linalg.solve(drawn, classes)))
    else:
        means = values.T @ classes
        between = float(np.einsum("ij,ij->", means, np.linalg.solve(drawn, means)))
    return (1 - share) * between / rows


def _is_shrinkage(value: object) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0 <= value < 1
    return value is None or value == "ledoit-wolf"
