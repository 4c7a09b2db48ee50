"""What each method says of a target that it has not seen: single signals, and answers fused from several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from taskspace.errors import DataError
from taskspace.ranking.answer import Observed, fit
from taskspace.ranking.signals import take

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.bench.rank.ground import GroundTruth
    from taskspace.ranking import Gain
    from taskspace.ranking.answer import Predictor
    from taskspace.ranking.signals import Reading, Signal


@dataclass(frozen=True)
class Recipe:
    """An answer fused from ``signals``.

    With ``shortlist`` the ``costly`` ones among them are read of so many sources only, those that an answer from the
    others puts first.
    """

    name: str
    about: str
    signals: tuple[Signal, ...]
    costly: tuple[str, ...] = ()
    shortlist: int = 0

    @property
    def cheap(self) -> Recipe:
        """The answer that makes the shortlist."""
        kept = tuple(signal for signal in self.signals if signal.name not in self.costly)
        return Recipe(f"{self.name}, to begin with", self.about, kept)


@dataclass(frozen=True, eq=False)
class Order:
    """What a method says of the candidates of ``target``: ``scores`` float64[n], higher is better, NaN where it cannot
    tell; the gains it predicts, if it does; and the ``seconds`` it took with features at hand.
    """

    target: str
    scores: NDArray[np.float64]
    seconds: float
    gains: tuple[Gain, ...] | None = None
    weights: NDArray[np.float64] | None = None


@final
class Folds:
    """Readings of the signals of a ground truth, each target in turn as if nothing had been measured on it.

    What does not hang on transfers is read once.
    """

    def __init__(self, ground: GroundTruth) -> None:
        self.ground = ground
        self._read: dict[tuple[str, ...], Reading | str] = {}

    def reading(self, signal: Signal, target: str, hidden: tuple[str, ...] = ()) -> Reading | None:
        """What ``signal`` says of the candidates of ``target``, the ``hidden`` tasks left out; None where it cannot
        tell of any, :meth:`problem` says why.
        """
        found = self._take(signal, target, hidden)
        return None if isinstance(found, str) else found

    def problem(self, signal: Signal, target: str) -> str | None:
        """Why a signal tells nothing of a target; None where it does."""
        found = self._take(signal, target, ())
        return found if isinstance(found, str) else None

    def scores(self, signal: Signal, target: str, hidden: tuple[str, ...] = ()) -> NDArray[np.float64]:
        """float64[n] over the candidates that are not hidden; NaN throughout where the signal tells nothing."""
        names = self.ground.candidates(target)
        kept = [name not in hidden for name in names]
        if "transfers" in signal.needs:
            found = self.reading(signal, target, hidden)
            return np.full(sum(kept), np.nan) if found is None else found.scores
        found = self.reading(signal, target)
        return np.full(sum(kept), np.nan) if found is None else found.scores[kept]

    def single(self, signal: Signal) -> list[Order]:
        """The order of one signal for every target of which it can tell."""
        readings = [(target, self.reading(signal, target)) for target in self.ground.targets]
        return [Order(target, said.scores, said.seconds) for target, said in readings if said is not None]

    def fused(self, recipe: Recipe) -> list[Order]:
        """The answer for every target, learned on the others alone."""
        return [self._answered(recipe, target) for target in self.ground.targets]

    def _answered(self, recipe: Recipe, target: str) -> Order:
        predictor = self.predictor(recipe, (target,))
        table = self.table(recipe, target)
        scores = predictor.scores(table)
        gains = None if predictor.line is None else tuple(predictor.line.predict(scores))
        seconds = [self.reading(signal, target) for signal in recipe.signals]
        took = sum(reading.seconds for reading in seconds if reading is not None)
        return Order(target, scores, took, gains, predictor.weights)

    def predictor(self, recipe: Recipe, hidden: tuple[str, ...]) -> Predictor:
        """What is learned from the targets that are not hidden, with nothing known of those that are."""
        return fit(recipe.signals, [self._observed(recipe, t, hidden) for t in self.ground.targets if t not in hidden])

    def _observed(self, recipe: Recipe, target: str, hidden: tuple[str, ...]) -> Observed:
        names = self.ground.candidates(target, hidden)
        return Observed(target, self.table(recipe, target, hidden), self.ground.gains(target, names))

    def table(self, recipe: Recipe, target: str, hidden: tuple[str, ...] = ()) -> NDArray[np.float64]:
        """Readings float64[n, signals]; the costly ones of the shortlist alone."""
        table = np.column_stack([self.scores(signal, target, hidden) for signal in recipe.signals])
        if recipe.shortlist:
            cheap = recipe.cheap
            first = self.predictor(cheap, (target, *hidden)).scores(self.table(cheap, target, hidden))
            left_out = np.argsort(np.argsort(-first, kind="stable")) >= recipe.shortlist
            costly = np.array([signal.name in recipe.costly for signal in recipe.signals])
            table[np.ix_(left_out, costly)] = np.nan
        return table

    def _take(self, signal: Signal, target: str, hidden: tuple[str, ...]) -> Reading | str:
        key = (signal.name, target, *sorted(hidden))
        if key not in self._read:
            try:
                self._read[key] = take(signal, self.ground.question(target, hidden))
            except DataError as error:
                self._read[key] = str(error)
        return self._read[key]
