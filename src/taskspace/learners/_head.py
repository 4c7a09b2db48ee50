"""A linear head on frozen features: the only part of the surrogate that ``fisher`` fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taskspace._extras import require

if TYPE_CHECKING:
    from taskspace.labels import LabelKind

Matrix = NDArray[np.float64]

_L2 = 1e-3
"""Strength of the penalty per row, on features of unit mean square."""


@dataclass(frozen=True, eq=False)
class Head:
    """``weight`` float64[c, d], ``bias`` float64[c]: logits of c classes, or the mean of a unit-variance Gaussian."""

    weight: Matrix
    bias: NDArray[np.float64]
    kind: LabelKind

    def outputs(self, features: Matrix) -> Matrix:
        return features @ self.weight.T + self.bias


def fit_head(features: Matrix, values: Matrix, weights: NDArray[np.float64], kind: LabelKind) -> Head:
    """Weighted maximum likelihood with a small L2 penalty; soft cross-entropy for hard and soft labels alike.

    ``features`` float64[n, d], ``values`` float64[n, c], ``weights`` float64[n] with sum 1.
    """
    scale = float(np.sqrt(np.mean(features**2))) or 1.0
    scaled = features / scale
    if kind == "classes":
        weight, bias = _logistic(scaled, values, weights)
    else:
        weight, bias = _ridge(scaled, values, weights)
    return Head(weight / scale, bias, kind)


def standardised(values: Matrix, weights: NDArray[np.float64]) -> Matrix:
    """Numbers as z-scores; several side by side share one scale, so that one that hardly varies stays small."""
    centred = values - weights @ values
    spread = np.sqrt((weights @ centred**2).mean())
    return centred / np.where(spread > 0, spread, 1.0)


def _ridge(features: Matrix, values: Matrix, weights: NDArray[np.float64]) -> tuple[Matrix, NDArray[np.float64]]:
    centre, mean = weights @ features, weights @ values
    centred = features - centre
    normal = (centred * weights[:, None]).T @ centred + _L2 * np.eye(features.shape[1])
    weight = np.linalg.solve(normal, (centred * weights[:, None]).T @ (values - mean)).T.astype(np.float64)
    return weight, mean - weight @ centre


def _logistic(features: Matrix, values: Matrix, weights: NDArray[np.float64]) -> tuple[Matrix, NDArray[np.float64]]:
    torch = require("torch", extra="embed", why="learner 'fisher'")
    x, y, w = (torch.from_numpy(np.ascontiguousarray(a)) for a in (features, values, weights))
    weight = torch.zeros(values.shape[1], features.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(values.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> Any:
        optimizer.zero_grad()
        log_p = torch.log_softmax(x @ weight.T + bias, dim=1)
        value = -(w @ (y * log_p).sum(1)) + _L2 / 2 * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return weight.detach().numpy(), bias.detach().numpy()
