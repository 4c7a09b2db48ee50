"""Learn coefficients through the merged model: by gradients, or without them."""

from __future__ import annotations

import math
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
RATE = 0.05
_REACH = 0.5
"""How far from the start the first guesses without gradients lie."""
_TAKES = {"begin": ("task", "tensor"), "kept_share": ("direction",), "scale": ("direction",)}
"""Settings that some pieces only look at."""


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
    rate: float | None = None,
    penalty: float = 0.0,
    begin: float | None = None,
    kept_share: float | None = None,
    scale: float | None = None,
) -> Fitted:
    """Coefficients that lower the mean of ``objectives`` (see :func:`objective`) on ``base`` plus the merged vector.

    ``pieces``: ``task`` (LoraHub), ``share`` (Self-Positioning), ``tensor`` (aTLAS) or ``direction`` (AdaRank).  Those
    of ``task`` and ``tensor`` ``begin`` at 0; of ``direction`` the ``kept_share`` (0.5) of the largest is in at first,
    and what is kept counts ``scale`` (1).  ``optimiser`` ``adam`` goes by gradients, at a ``rate`` of 0.05;
    ``nelder-mead`` by losses alone, for a handful of coefficients.  ``penalty`` times the mean size of the coefficients
    is added to the loss (LoraHub takes 0.05).  The state of lowest loss that was seen is kept.

    All vectors and the base are in memory.  Raises :class:`SettingError` for settings there are not, and for those that
    would go for nothing.
    """
    if pieces not in PIECES:
        raise SettingError(f"there are no pieces {pieces!r}{did_you_mean(pieces, PIECES)}")
    if optimiser not in ("adam", "nelder-mead"):
        raise SettingError(f"optimiser is {optimiser!r}; say adam or nelder-mead")
    if steps < 1 or not vectors or not objectives:
        raise SettingError(
            f"{len(vectors)} vectors, {len(objectives)} objectives and {steps} steps were given; give at least one each"
        )
    given = {"begin": begin, "kept_share": kept_share, "scale": scale, "rate": rate}
    told = {name: value for name, value in given.items() if value is not None}
    _require_useful(told, pieces, optimiser)
    joined_base(vectors)
    names = tuple(joined([vector.layout for vector in vectors]))  # one may name what another does not
    kind = _made(pieces, vectors, names, {name: value for name, value in told.items() if name != "rate"})
    loss = _Loss(vectors, base, objectives, kind, penalty)
    start = kind.start(vectors)
    found = (
        _adam(loss, start, steps, told.get("rate", RATE)) if optimiser == "adam" else _nelder_mead(loss, start, steps)
    )
    return Fitted(kind.vector(vectors, found), found, tuple(loss.seen))


def _require_useful(told: Mapping[str, float], pieces: str, optimiser: str) -> None:
    """Raise for what these pieces and this optimiser would not look at, and for numbers that they cannot take."""
    for name, value in told.items():
        takes = _TAKES.get(name, PIECES)
        if pieces not in takes:
            raise SettingError(f"{name} does nothing for pieces {pieces!r}; leave it out, or say {' or '.join(takes)}")
        if not math.isfinite(value):
            raise SettingError(f"{name} is {value}; give a finite number")
    if "rate" in told and (optimiser == "nelder-mead" or told["rate"] <= 0):
        raise SettingError(
            f"rate is {told['rate']} with {optimiser}; give one above 0 with adam, and none with another"
        )
    if optimiser == "nelder-mead" and abs(told.get("begin", 0)) > BOUND - _REACH:
        raise SettingError(f"begin is {told['begin']}, and nelder-mead goes to {BOUND}; begin within {BOUND - _REACH}")
    if not 0 <= told.get("kept_share", 0) <= 1:
        raise SettingError(f"kept_share is {told['kept_share']}; give a share of directions, from 0 to 1")


def _made(pieces: str, vectors: Sequence[TaskVector], names: tuple[str, ...], settings: Mapping[str, float]) -> Pieces:
    if pieces == "direction":
        return Directions.of(vectors, names, **settings)
    return {"task": Tasks, "share": Shares, "tensor": Tensors}[pieces](names, **settings)


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
        total = losses.mean() + self._penalty * self._kind.coefficients(numbers).abs().mean()
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

    simplex = np.vstack([start, *(start + _REACH * step for step in np.eye(len(start)))])
    settings = {"maxfev": steps, "initial_simplex": simplex}
    bounds = [(-BOUND, BOUND)] * len(start)
    return optimize.minimize(value, start, method="Nelder-Mead", bounds=bounds, options=settings).x
