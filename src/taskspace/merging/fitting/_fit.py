"""Learn coefficients through the merged model: by gradients, or without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from taskspace._extras import require
from taskspace.errors import SettingError, did_you_mean
from taskspace.merging._vector import joined_base
from taskspace.merging.carriers.combined import joined
from taskspace.merging.checkpoint import opened, whole
from taskspace.merging.fitting._pieces import PIECES, Directions, Shares, Tasks, Tensors
from taskspace.merging.methods import Inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.merging._vector import Source, TaskVector
    from taskspace.merging.fitting._objective import Objective
    from taskspace.merging.fitting._pieces import Pieces

Optimiser: TypeAlias = Literal["adam", "nelder-mead"]
BOUND = 1.5
"""Coefficients are held within it where no gradient tells how far to go (LoraHub's setting)."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """``vector`` is what the coefficients come to; ``losses`` what each step saw, before its change."""

    vector: TaskVector
    numbers: NDArray[np.float64]
    losses: tuple[float, ...]


def fit(
    vectors: Sequence[TaskVector],
    base: Source,
    objectives: Sequence[Objective],
    *,
    pieces: str = "task",
    optimiser: Optimiser = "adam",
    steps: int = 100,
    rate: float = 0.05,
    penalty: float = 0.0,
    kept: float = 0.5,
    scale: float = 1.0,
) -> Fitted:
    """Coefficients that lower the mean of ``objectives`` (see :func:`objective`) on ``base`` plus the merged vector.

    ``pieces``: ``task`` (LoraHub), ``share`` (Self-Positioning), ``tensor`` (aTLAS) or ``direction`` (AdaRank, with the
    ``kept`` share of directions at the start and ``scale`` as its size).  ``optimiser`` ``adam`` goes by gradients;
    ``nelder-mead`` by losses alone, for a handful of coefficients.  ``penalty`` times the mean size of the coefficients
    is added to the loss (LoraHub takes 0.05).  The state of lowest loss that was seen is kept.

    All vectors and the base are in memory.  Raises :class:`SettingError` for settings there are not.
    """
    if pieces not in PIECES:
        raise SettingError(f"there are no pieces {pieces!r}{did_you_mean(pieces, PIECES)}")
    if optimiser not in ("adam", "nelder-mead"):
        raise SettingError(f"optimiser is {optimiser!r}; say adam or nelder-mead")
    if steps < 1 or not vectors or not objectives:
        raise SettingError(
            f"{len(vectors)} vectors, {len(objectives)} objectives and {steps} steps were given; give at least one each"
        )
    joined_base(vectors)
    names = tuple(joined([vector.layout for vector in vectors]))  # one may name what another does not
    kind = _pieces(pieces, vectors, names, kept=kept, scale=scale)
    loss = _Loss(vectors, base, objectives, kind, penalty)
    start = kind.start(vectors)
    found = _adam(loss, start, steps, rate) if optimiser == "adam" else _nelder_mead(loss, start, steps)
    return Fitted(kind.vector(vectors, found), found, tuple(loss.seen))


def _pieces(name: str, vectors: Sequence[TaskVector], names: tuple[str, ...], *, kept: float, scale: float) -> Pieces:
    if name == "direction":
        return Directions.of(vectors, names, kept=kept, scale=scale)
    return {"task": Tasks, "share": Shares, "tensor": Tensors}[name](names)


class _Loss:
    """The loss of some numbers, with everything that it needs at hand."""

    def __init__(
        self, vectors: Sequence[TaskVector], base: Source, objectives: Sequence[Objective], kind: Pieces, penalty: float
    ) -> None:
        self.torch = require("torch", extra="embed", why="fitting coefficients")
        inputs = Inputs(tuple(vector.carrier for vector in vectors), (1.0,) * len(vectors))
        under = opened(base)
        self._deltas = {n: self.torch.as_tensor(np.stack(inputs.tensors(n))) for n in inputs.layout}
        self._base = {n: self.torch.as_tensor(np.array(whole(under, n))) for n in inputs.layout}
        self._objectives, self._kind, self._penalty = objectives, kind, penalty
        self.seen: list[float] = []

    def __call__(self, numbers: Any) -> Any:
        weights: Mapping[str, Any] = {
            name: self._base[name] + self._kind.tensor(self.torch, name, deltas, numbers)
            for name, deltas in self._deltas.items()
        }
        losses = self.torch.stack([each(weights) for each in self._objectives])
        total = losses.mean() + self._penalty * numbers.abs().mean()
        self.seen.append(float(total.detach()))
        return total


def _adam(loss: _Loss, start: NDArray[np.float64], steps: int, rate: float) -> NDArray[np.float64]:
    torch = loss.torch
    numbers = torch.tensor(start, requires_grad=True)
    optimiser = torch.optim.Adam([numbers], lr=rate)
    best, lowest = start, np.inf
    for _ in range(steps):
        optimiser.zero_grad()
        found = loss(numbers)
        if loss.seen[-1] < lowest:
            best, lowest = numbers.detach().numpy().copy(), loss.seen[-1]
        found.backward()
        optimiser.step()
    with torch.no_grad():
        loss(numbers)
    return numbers.detach().numpy() if loss.seen[-1] < lowest else best


def _nelder_mead(loss: _Loss, start: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    optimize = require("scipy.optimize", extra="sklearn", why="fitting without gradients")
    torch = loss.torch

    def value(numbers: NDArray[np.float64]) -> float:
        with torch.no_grad():
            loss(torch.as_tensor(numbers))
        return loss.seen[-1]

    simplex = np.vstack([start, *(start + 0.5 * step for step in np.eye(len(start)))])
    settings = {"maxfev": steps, "initial_simplex": simplex}
    bounds = [(-BOUND, BOUND)] * len(start)
    return optimize.minimize(value, start, method="Nelder-Mead", bounds=bounds, options=settings).x
