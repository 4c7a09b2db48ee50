"""How well a score chose among prompts, once the rows have labels.

NDCG with its gain named, regret, top-k hit, the share of the best prompt and Spearman, beside what chance gets,
exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from taskspace.errors import DataError, SettingError, did_you_mean
from taskspace.ranking.metrics import chance, hit_at, mean_ranks, ndcg, regret_at, spearman

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.labels import Classes
    from taskspace.prompting.choosing._readings import PromptReadings
    from taskspace.ranking.metrics import Gain

Abstention: TypeAlias = Literal["wrong", "left_out"]


@dataclass(frozen=True)
class Evaluation:
    """What a choice among ``prompts`` distinct prompts was worth, in units of the truth, each beside its chance.

    ``ratio`` is the chosen prompt's truth over the best one's, ``over_mean`` its truth minus the mean over
    prompts (the random prompt), ``place`` its rank by truth.  Prompts that tie for the first score are each as likely.
    """

    prompts: int
    gain: Gain
    k: int
    ndcg: float
    ndcg_chance: float
    regret: float
    regret_chance: float
    hit: float
    hit_chance: float
    ratio: float
    ratio_chance: float
    spearman: float
    over_mean: float
    place: float


@dataclass(frozen=True, eq=False)
class FewLabels:
    """Accuracy on some labelled rows, ``values`` float64[draws, T], and on all others, ``rest`` float64[draws, T]."""

    values: NDArray[np.float64]
    rest: NDArray[np.float64]


def truth_of(readings: PromptReadings, labels: Classes) -> NDArray[np.int64]:
    """int64[X]: the label of each row as a number of ``readings.labels``; -1 where it is missing.

    Raises :class:`DataError` for other rows than were read, or a class that the prompts do not answer.
    """
    if len(labels) != len(readings.rows):
        raise DataError(f"{len(readings.rows)} rows were read but {len(labels)} have labels; give the same rows")
    numbers = np.full(len(labels.names) + 1, -1, dtype=np.int64)
    for code in labels.present():
        name = labels.names[code]
        if name not in readings.labels:
            raise DataError(f"no prompt answers the class {name!r}{did_you_mean(name, readings.labels)}")
        numbers[code] = readings.labels.index(name)
    return numbers[labels.codes]


def accuracy(
    readings: PromptReadings, truth: NDArray[np.int64], *, abstention: Abstention = "wrong"
) -> NDArray[np.float64]:
    """float64[T]: the share of the labelled rows that each prompt answers rightly.

    ``truth`` int64[X] as :func:`truth_of` makes it.  A row without an answer counts as wrong, or not at all
    (a prompt that answers none then has 0).
    """
    predictions, wanted, counted = _labelled(readings, truth, abstention)
    return ((predictions == wanted) & counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)


def macro_f1(
    readings: PromptReadings, truth: NDArray[np.int64], *, abstention: Abstention = "wrong"
) -> NDArray[np.float64]:
    """float64[T]: F1 per class, averaged over the classes that occur among the labels or a prompt's answers."""
    predictions, wanted, counted = _labelled(readings, truth, abstention)
    classes = np.arange(len(readings.labels))
    said = (predictions[..., None] == classes) & counted[..., None]
    true = (wanted[:, None] == classes) & counted[..., None]
    either = said.sum(axis=1) + true.sum(axis=1)  # true positives twice, and all errors once
    f1 = 2 * (said & true).sum(axis=1) / np.maximum(either, 1)
    return f1.sum(axis=1) / np.maximum((either > 0).sum(axis=1), 1)


def evaluate(
    values: NDArray[np.float64],
    truth: NDArray[np.float64],
    *,
    twins: NDArray[np.int64] | None = None,
    gain: Gain = "linear",
    k: int = 3,
) -> Evaluation:
    """Compare scores ``values`` float64[T], higher is preferred, with what the prompts are worth, ``truth`` float64[T].

    Of ``twins`` (:attr:`PromptReadings.twins`) only the first counts.  ``regret`` is that of the prompt chosen, ``hit``
    whether the best one is among the first ``k``.
    """
    once = np.arange(len(values)) if twins is None else np.unique(twins)
    values, truth = np.asarray(values)[once], np.asarray(truth)[once]
    best, regret = float(truth.max()), regret_at(truth, values)
    regret_chance = chance(regret_at, truth)
    first = values == values.max()
    return Evaluation(
        prompts=len(once), gain=gain, k=k,
        ndcg=ndcg(truth, values, gain=gain), ndcg_chance=chance(ndcg, truth, gain=gain),
        regret=regret, regret_chance=regret_chance,
        hit=hit_at(truth, values, k), hit_chance=chance(hit_at, truth, k=k),
        ratio=_share(best - regret, best), ratio_chance=_share(best - regret_chance, best),
        spearman=spearman(truth, values),
        over_mean=regret_chance - regret,
        place=float(mean_ranks(truth)[first].mean()),
    )  # fmt: skip


def few_labels(
    readings: PromptReadings, truth: NDArray[np.int64], count: int, *, draws: int = 200, seed: int = 0
) -> FewLabels:
    """The rival that pays for labels: accuracy on ``count`` labelled rows, drawn anew ``draws`` times.

    To be judged by ``rest``, the rows not drawn: prompts are never chosen and scored on the same rows.
    """
    rows = np.flatnonzero(truth >= 0)
    if not 0 < count < len(rows):
        raise SettingError(f"cannot draw {count} of {len(rows)} labelled rows and leave some; ask for fewer")
    right = (readings.predictions == truth)[:, rows].astype(np.float64)
    rng = np.random.default_rng(seed)
    drawn = np.stack([rng.choice(len(rows), count, replace=False) for _ in range(draws)])
    on_drawn = right[:, drawn].sum(axis=2).T
    return FewLabels(on_drawn / count, (right.sum(axis=1) - on_drawn) / (len(rows) - count))


def _labelled(
    readings: PromptReadings, truth: NDArray[np.int64], abstention: Abstention
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Predictions int64[T, N] and labels int64[N] of the labelled rows, and which of them count, bool[T, N]."""
    if abstention not in ("wrong", "left_out"):
        raise SettingError(f"abstention={abstention!r} is not known; say 'wrong' or 'left_out'")
    if truth.shape != (len(readings.rows),) or not (truth >= 0).any():
        raise DataError(f"{int((truth >= 0).sum())} labels for {len(readings.rows)} rows; give one per row")
    rows = np.flatnonzero(truth >= 0)
    predictions = readings.predictions[:, rows]
    counted = predictions >= 0 if abstention == "left_out" else np.ones(predictions.shape, dtype=bool)
    return predictions, truth[rows], counted


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0
