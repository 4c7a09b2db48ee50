"""Measures that know how sources did on other tasks, never on the target's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import PromptError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.prompting.likeness._query import Query, Rule

_NOTHING = 1e-12
"""Spreads below this are rounding."""
_PRIOR_SHARE = 0.25
_NEIGHBOUR_SHARE = 0.5
_BANDWIDTH = 0.5
"""Standard deviations of likeness by which a weight falls to 1/e: the nearest one to three tasks of a dozen decide."""


def prior_alone(query: Query) -> NDArray[np.float64]:
    """The target-blind baseline: whatever does not beat it has learned nothing about the target."""
    return _there(query.prior)


def with_prior(like: Rule, share: float = _PRIOR_SHARE) -> Rule:
    """Likeness and prior, each in standard deviations over the sources; ``share`` is the prior's."""
    return _mixed(like, prior_alone, share)


def with_neighbours(like: Rule, share: float = _NEIGHBOUR_SHARE) -> Rule:
    """Likeness and what :func:`neighbours` makes of it, so that a target without measured relatives is not lost."""
    return _mixed(like, neighbours(like), share)


def neighbours(like: Rule, bandwidth: float = _BANDWIDTH) -> Rule:
    """What a source was worth for the tasks whose prompts are like the target's, its own task among them.

    Σ_p w_p known[p, s] / Σ_p w_p over the tasks p for which s was measured, w = exp(z / bandwidth), z the likeness of
    the target to the prompt of p in standard deviations: a kernel regression over tasks (Nadaraya 1964, Watson 1964),
    as memory-based collaborative filtering has it.  With a wide bandwidth it is the source prior (own tasks
    included), with a narrow one the measured order of the nearest task.  A source never measured scores 0, the
    average.  It knows only what relatives of the target were measured to take from: with none it is worse than
    likeness alone.
    """

    def rule(query: Query) -> NDArray[np.float64]:
        known = _there(query.known)
        asked = np.flatnonzero(~np.isnan(known).all(axis=1))
        if not len(asked):
            raise PromptError(
                "no transfer was measured to the task of any source; take a measure that needs none, such as 'pooled'"
            )
        z = z_scores(like(query)[asked]) / bandwidth
        measured = ~np.isnan(known[asked])
        weights = np.exp(z - z.max())[:, None] * measured
        total = weights.sum(axis=0)
        summed = (weights * np.where(measured, known[asked], 0.0)).sum(axis=0)
        return np.divide(summed, total, out=np.zeros(len(query)), where=total > 0)

    return rule


def _mixed(like: Rule, other: Rule, share: float) -> Rule:
    return lambda query: (1 - share) * z_scores(like(query)) + share * z_scores(other(query))


def z_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """In standard deviations from the mean; zeros where all are equal."""
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > _NOTHING else np.zeros(len(values))


def _there(values: NDArray[np.float64] | None) -> NDArray[np.float64]:
    assert values is not None  # Measure asks for it before
    return values
