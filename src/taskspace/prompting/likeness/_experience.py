"""Measures that know how sources did on other tasks, never on the target's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import PromptError
from taskspace.ranking.history.neighbourhood import BANDWIDTH, regressed
from taskspace.ranking.history.scale import z_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.prompting.likeness._query import Query, Rule

_PRIOR_SHARE = 0.25
_NEIGHBOUR_SHARE = 0.5


def prior_alone(query: Query) -> NDArray[np.float64]:
    """The target-blind baseline: whatever does not beat it has learned nothing about the target."""
    return _there(query.prior)


def with_prior(like: Rule, share: float = _PRIOR_SHARE) -> Rule:
    """Likeness and prior, each in standard deviations over the sources; ``share`` is the prior's."""
    return _mixed(like, prior_alone, share)


def with_neighbours(like: Rule, share: float = _NEIGHBOUR_SHARE) -> Rule:
    """Likeness and what :func:`neighbours` makes of it, so that a target without measured relatives is not lost."""
    return _mixed(like, neighbours(like), share)


def neighbours(like: Rule, bandwidth: float = BANDWIDTH) -> Rule:
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
        if np.isnan(known).all():
            raise PromptError(
                "no transfer was measured to the task of any source; take a measure that needs none, such as 'pooled'"
            )
        return np.nan_to_num(regressed(known.T, like(query), bandwidth), nan=0.0)

    return rule


def _mixed(like: Rule, other: Rule, share: float) -> Rule:
    return lambda query: (1 - share) * z_scores(like(query)) + share * z_scores(other(query))


def _there(values: NDArray[np.float64] | None) -> NDArray[np.float64]:
    assert values is not None  # Measure asks for it before
    return values
