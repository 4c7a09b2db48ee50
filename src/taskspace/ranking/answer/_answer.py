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
    seen on this target.  A signal that can tell nothing here is left out, and a note says why.

    Raises :class:`DataError` where no signal tells anything, :class:`SettingError` for unknown signals or a k below 1.
    """
    if k is not None and k < 1:
        raise SettingError(f"k is {k}; ask for at least 1 candidate")
    readings, notes = readings_of(question, signals)
    told = [reading.signal for reading in readings]
    predictor = fit(told, [observed(one, told) for one in earlier])
    table = np.column_stack([reading.scores for reading in readings])
    gains = None if predictor.line is None else predictor.line.predict(predictor.scores(table), measured)
    scores = predictor.scores(table) if gains is None else np.array([gain.mean for gain in gains])
    hits = _hits(question, readings, scores, predictor.parts(table), gains, about or {})
    return Ranking(question.target, _ordered(hits)[:k], _measure(predictor, unit), (*notes, *_ties(hits)))


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
    scores: NDArray[np.float64],
    parts: NDArray[np.float64],
    gains: Sequence[Gain] | None,
    about: Mapping[str, About],
) -> list[Hit]:
    hits: list[Hit] = []
    for row, name in enumerate(question.names):
        known = about.get(name, About())
        said = {reading.name: float(reading.scores[row]) for reading in readings}
        adds = {reading.name: float(parts[row, column]) for column, reading in enumerate(readings)}
        gain = None if gains is None else gains[row]
        score = float(np.round(scores[row], _DECIMALS)) + 0.0
        hits.append(Hit(name, known.kind, score, known.provenance or {}, known.content, 0, gain, said, adds))
    if gains is not None:
        hits.append(Hit(DO_NOT_TRANSFER, "none", 0.0, {}, "", 0, NO_GAIN))
    return hits


def _ordered(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Highest score first; at a tie not transferring, which costs nothing, and then by name."""
    order = sorted(hits, key=lambda hit: (-hit.score, hit.kind != "none", hit.name, hit.kind))
    return tuple(replace(hit, rank=place) for place, hit in enumerate(order, 1))


def _measure(predictor: Predictor, unit: str) -> str:
    used = ", ".join(signal.name for signal in predictor.signals)
    if predictor.line is None:
        return f"weighted sum of {used}; uncalibrated: an order, not a predicted gain"
    learned = f"learned on {predictor.line.targets} measured targets"
    return f"predicted gain in {unit} over not transferring, 90 % interval, from {used}, {learned}"


def _ties(hits: Sequence[Hit]) -> list[str]:
    scores = [hit.score for hit in hits if hit.kind != "none"]
    if len(scores) > 1 and len(set(scores)) == 1:
        return [f"all {len(scores)} candidates score the same, so their order is by name and means nothing"]
    return []
