"""What is asked of a measure: one target prompt, and the prompts it may start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from taskspace.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Rule: TypeAlias = Callable[["Query"], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Query:
    """``target`` float64[m, d] and n ``sources`` float64[m_s, d], one row per token, each named.

    ``prior`` float64[n] is what each source is worth whatever the target.  ``known`` float64[n, n] is what was
    measured: row p holds the worth of each source for the task of source p, in standard deviations
    (:func:`~taskspace.prompting.likeness.standardised`), NaN where nothing was.  Neither may look at the transfers to
    the target itself.
    """

    target: NDArray[np.float64]
    sources: tuple[NDArray[np.float64], ...]
    names: tuple[str, ...]
    prior: NDArray[np.float64] | None = None
    known: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def prompts(self) -> tuple[NDArray[np.float64], ...]:
        """The target, then the sources."""
        return (self.target, *self.sources)


def query(
    target: ArrayLike,
    sources: Sequence[ArrayLike],
    *,
    names: Sequence[str] | None = None,
    prior: ArrayLike | None = None,
    known: ArrayLike | None = None,
) -> Query:
    """The query in float64; ``names`` are for errors.

    Raises :class:`PromptError` for what is no prompt, for a source of another width, and for a prior or known
    transfers of another number of sources.
    """
    called = tuple(names) if names is not None else tuple(f"source {i}" for i in range(1, len(sources) + 1))
    wanted = _tokens(target, "the target")
    given = tuple(_tokens(source, name) for source, name in zip(sources, called, strict=True))
    for source, name in zip(given, called, strict=True):
        if source.shape[1] != wanted.shape[1]:
            raise PromptError(
                f"{name} is {source.shape[1]} wide and the target {wanted.shape[1]}; "
                "compare prompts of one backbone only"
            )
    n = len(given)
    return Query(wanted, given, called, _sized(prior, (n,), "prior"), _sized(known, (n, n), "known transfers"))


def _tokens(prompt: ArrayLike, name: str) -> NDArray[np.float64]:
    tokens = np.asarray(prompt, dtype=np.float64)
    if tokens.ndim != 2 or not tokens.size:
        raise PromptError(f"{name} has shape {tokens.shape}; a prompt is a table of tokens by width")
    if not np.isfinite(tokens).all():
        raise PromptError(f"{name} holds NaN or infinite numbers; tune it again")
    return tokens


def _sized(values: ArrayLike | None, shape: tuple[int, ...], what: str) -> NDArray[np.float64] | None:
    if values is None:
        return None
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise PromptError(f"{what} of shape {array.shape} do not fit {shape[0]} sources; give one per source")
    return array
