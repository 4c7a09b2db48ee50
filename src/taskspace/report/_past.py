"""What was measured before: on the targets most like this one, and on this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking.history.transfers import mean_over
from taskspace.report._values import Past, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.ranking import Ranking
    from taskspace.ranking.history import Transfers

_TARGETS, _SOURCES = 5, 3


def past_of(transfers: Transfers, near: Ranking, own: set[str], chosen: Sequence[str], measured_targets: int) -> Past:
    """``near`` are all neighbours of the target, ``own`` the names it goes by, ``chosen`` the candidates to tell of."""
    gain = transfers.foreign.gain
    place = {name: i for i, name in enumerate(transfers.targets)}
    alike = [
        Place(hit.name, hit.kind, hit.score)
        for hit in near
        if hit.kind != "none" and hit.name in place and hit.name not in own
        and not np.isnan(gain[:, place[hit.name]]).all()
    ][:_TARGETS]  # fmt: skip
    row = {name: i for i, name in enumerate(transfers.sources)}
    sources = tuple(name for name in chosen if name in row)[:_SOURCES]
    columns = [gain[:, place[target.name]] for target in alike]
    return Past(
        sources=sources,
        targets=tuple(alike),
        gains=tuple(tuple(_known(column[row[source]]) for source in sources) for column in columns),
        usual=tuple(_known(mean_over(column)) for column in columns),
        own=_own(transfers, gain, own),
        metric=transfers.metric,
        measured_targets=measured_targets,
    )


def _own(transfers: Transfers, gain: NDArray[np.float64], own: set[str]) -> tuple[tuple[str, float], ...]:
    columns = [i for i, name in enumerate(transfers.targets) if name in own]
    if not columns:
        return ()
    found = zip(transfers.sources, mean_over(gain[:, columns]).tolist(), strict=True)
    return tuple(sorted(((name, value) for name, value in found if value == value), key=lambda pair: -pair[1]))


def _known(value: object) -> float | None:
    number = float(value)  # pyright: ignore[reportArgumentType]  # a numpy scalar
    return None if np.isnan(number) else number


def measured_targets(transfers: Transfers, there: set[str], own: set[str]) -> int:
    """Other targets that are embedded, with measured gains from two embedded sources at least."""
    sources = np.array([name in there for name in transfers.sources], dtype=np.bool_)
    counts = (~np.isnan(transfers.foreign.gain) & sources[:, None]).sum(axis=0).tolist()
    return sum(n > 1 and name in there - own for name, n in zip(transfers.targets, counts, strict=True))
