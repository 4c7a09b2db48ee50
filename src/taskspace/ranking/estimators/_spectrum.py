"""Label columns along the singular directions of features: what LogME, the H-score and the probe are functions of.

The decomposition is that of the smaller Gram matrix in float64: several times as fast as a singular value
decomposition, and directions too weak for it carry no label that features of float32 could tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Spectrum:
    """F = U S Vᵀ of rank k, and columns Y, by their squares.

    ``strengths`` float64[k] is S², ``shares`` float64[k, c] is (UᵀY)², and ``rest`` float64[c] the squared length of Y
    outside of U.
    """

    strengths: NDArray[np.float64]
    shares: NDArray[np.float64]
    rest: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.float64], columns: NDArray[np.float64]) -> Spectrum:
        """Of ``features`` float64[n, d] and ``columns`` float64[n, c]."""
        squares = np.einsum("ij,ij->j", columns, columns)
        if features.shape[0] > features.shape[1]:
            return cls.from_gram(features.T @ features, features.T @ columns, squares)
        strengths, left = _eigen(features @ features.T)
        return cls._of_shares(strengths, (left.T @ columns) ** 2, squares)

    @classmethod
    def from_gram(cls, gram: NDArray[np.float64], cross: NDArray[np.float64], squares: NDArray[np.float64]) -> Spectrum:
        """From FᵀF float64[d, d], FᵀY float64[d, c] and the squared lengths of Y float64[c]."""
        strengths, right = _eigen(gram)
        return cls._of_shares(strengths, (right.T @ cross) ** 2 / strengths[:, None], squares)

    @classmethod
    def _of_shares(
        cls, strengths: NDArray[np.float64], shares: NDArray[np.float64], squares: NDArray[np.float64]
    ) -> Spectrum:
        return cls(strengths, shares, np.maximum(squares - shares.sum(axis=0), 0.0))


def left_vectors(features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared singular values float64[k] of ``features`` float64[n, d], and their left vectors float64[n, k]."""
    if features.shape[0] <= features.shape[1]:
        return _eigen(features @ features.T)
    strengths, right = _eigen(features.T @ features)
    return strengths, features @ (right / np.sqrt(strengths))


def _eigen(gram: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues above rounding, and their vectors."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > len(values) * np.finfo(np.float64).eps * values[-1:]
    kept &= values > 0
    return values[kept], vectors[:, kept]
