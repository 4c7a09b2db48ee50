"""The answer to a question: the sources and "do not transfer", best first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import DataError, SettingError
from taskspace.ranking._gain import NO_GAIN, Gain
from taskspace.ranking._ranking import DO_NOT_TRANSFER, Hit, Ranking
from taskspace.ranking.answer.predictor import Observed, Predictor, fit
from taskspace.ranking.signals import signal_named, take

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.embedding import Kind
    from taskspace.ranking.signals import Question, Reading, Signal

_DECIMALS = 12


@dataclass(frozen=True, eq=False)
class About:
    """What a hit tells of a source besides its numbers."""

    kind: Kind = "dataset"
    content: str = ""
    provenance: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Earlier:
    """A question whose answer was measured: ``gains`` float64[n] over its sources, NaN where not measured."""

    question: Question
    gains: NDArray[np.float64]

    def __post_init__(self) -> None:
        _require_one_each(self.gains, self.question, "gains")


def answer(
    question: Question,
    signals: Sequence[str | Signal],
    *,
    earlier: Sequence[Earlier] = (),
    measured: NDArray[np.float64] | None = None,
    about: Mapping[str, About] | None = None,
    k: int | None = None,
    unit: str = "score",
) -> Ranking:
    """Read the signals and order the sources of ``question`` by what they foretell.

    With the measured gains of at least two ``earlier`` targets every candidate gets a predicted gain over not
    transferring, in ``unit``, with its interval, and "do not transfer" stands among them at 0.  Without, the order is
    by the weighted signals, and the ranking says that it is uncalibrated.  ``measured`` float64[n] are gains already
    seen on this target.  A source that is named like the target is left out, and so is a signal that can tell nothing
    here; notes say which and why.  Where no signal foretells the gains, all are predicted alike, and the order is by
    the weighted signals.

    Raises :class:`DataError` where no signal tells anything or gains are not one finite number (or NaN) per source,
    :class:`SettingError` for unknown signals or a k below 1.
    """
    if k is not None and k < 1:
        raise SettingError(f"k is {k}; ask for at least 1 candidate")
    if measured is not None:
        _require_one_each(measured, question, "measured gains")
    question, measured, notes = _without_itself(question, measured)
    readings, unread = readings_of(question, signals)
    told = [reading.signal for reading in readings]
    predictor = fit(told, [observed(one, told) for one in earlier])
    table = np.column_stack([reading.scores for reading in readings])
    likely = predictor.order(table)
    gains = None if predictor.line is None else predictor.line.predict(predictor.scores(table), measured)
    hits = _hits(question, readings, likely, predictor.parts(table), gains, about or {})
    order = _ordered(hits, dict(zip(question.names, likely.tolist(), strict=True)))
    told_of = (*notes, *unread, *_flat(predictor), *_ties(likely, question.names))
    return Ranking(question.target, order[:k], _measure(predictor, unit), told_of)


def readings_of(question: Question, signals: Sequence[str | Signal]) -> tuple[list[Reading], tuple[str, ...]]:
    """The readings of these signals, and a sentence for each that can tell nothing of this question."""
    readings: list[Reading] = []
    notes: list[str] = []
    for signal in _resolved(signals):
        try:
            readings.append(take(signal, question))
        except DataError as error:
            notes.append(f"{signal.name} is left out: {error}")
    if not readings:
        raise DataError(f"no signal tells anything of {question.target!r} ({'; '.join(notes) or 'none was asked for'})")
    return readings, tuple(notes)


def observed(one: Earlier, signals: Sequence[str | Signal]) -> Observed:
    """What these signals said of an earlier question; NaN for one that could tell nothing."""
    table = np.full((len(one.question), len(signals)), np.nan)
    for column, signal in enumerate(_resolved(signals)):
        try:
            table[:, column] = take(signal, one.question).scores
        except DataError:
            continue
    return Observed(one.question.target, table, one.gains)


def _resolved(signals: Sequence[str | Signal]) -> list[Signal]:
    return [signal_named(signal) if isinstance(signal, str) else signal for signal in signals]


def _hits(
    question: Question,
    readings: Sequence[Reading],
    likely: NDArray[np.float64],
    parts: NDArray[np.float64],
    gains: Sequence[Gain] | None,
    about: Mapping[str, About],
) -> list[Hit]:
    """A hit per source, not in order; what a signal adds and the level common to all make up its score."""
    hits: list[Hit] = []
    for row, name in enumerate(question.names):
        known = about.get(name, About())
        said = {reading.name: float(reading.scores[row]) for reading in readings}
        adds = {reading.name: float(parts[row, column]) for column, reading in enumerate(readings)}
        gain = None if gains is None else gains[row]
        score = float(np.round(likely[row] if gain is None else gain.mean, _DECIMALS)) + 0.0
        if gain is not None:
            adds["level"] = score - sum(adds.values())
        hits.append(Hit(name, known.kind, score, known.provenance or {}, known.content, 0, gain, said, adds))
    if gains is not None:
        hits.append(Hit(DO_NOT_TRANSFER, "none", 0.0, {}, "", 0, NO_GAIN))
    return hits


def _ordered(hits: Sequence[Hit], likely: Mapping[str, float]) -> tuple[Hit, ...]:
    """Highest score first; at a tie not transferring, which costs nothing, then what the signals say, then by name."""

    def place(hit: Hit) -> tuple[float, bool, float, str]:
        return -hit.score, hit.kind != "none", -round(likely.get(hit.name, 0.0), _DECIMALS), hit.name

    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(sorted(hits, key=place), 1))


def _without_itself(
    question: Question, measured: NDArray[np.float64] | None
) -> tuple[Question, NDArray[np.float64] | None, list[str]]:
    kept = [row for row, name in enumerate(question.names) if name != question.target]
    if len(kept) == len(question):
        return question, measured, []
    note = f"left out as the target itself: {question.target!r}"
    return question.only(kept), None if measured is None else measured[kept], [note]


def _require_one_each(values: NDArray[np.float64], question: Question, what: str) -> None:
    if values.shape != (len(question),) or np.isinf(values).any():
        raise DataError(
            f"{what} of shape {values.shape} do not say one finite number, or NaN, for each of {len(question)} sources "
            f"of {question.target!r}; give one per source"
        )


def _flat(predictor: Predictor) -> list[str]:
    if predictor.line is None or predictor.line.slope > 0:
        return []
    return ["no signal foretold the measured gains, so all are predicted alike and stand in the order of the signals"]


def _ties(likely: NDArray[np.float64], names: Sequence[str]) -> list[str]:
    """A note where sources cannot be told apart; those of one score stand by name."""
    scores = np.round(likely, _DECIMALS)
    values, counts = np.unique(scores, return_counts=True)
    if len(names) > 1 and len(values) == 1:
        return [f"all {len(names)} candidates score the same, so their order is by name and means nothing"]
    tied = [names[row] for row in np.flatnonzero(np.isin(scores, values[counts > 1])).tolist()]
    shown = ", ".join(repr(name) for name in tied[:5]) + (f" and {len(tied) - 5} more" if len(tied) > 5 else "")
    return [f"some candidates tie and stand by name: {shown}"] if tied else []


def _measure(predictor: Predictor, unit: str) -> str:
    used = ", ".join(signal.name for signal in predictor.signals)
    if predictor.line is None:
        return f"weighted sum of {used}; uncalibrated: an order, not a predicted gain"
    learned = f"learned on {predictor.line.targets} measured targets"
    return f"predicted gain in {unit} over not transferring, 90 % interval, from {used}, {learned}"
