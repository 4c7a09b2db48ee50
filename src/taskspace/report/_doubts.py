"""What is uncertain, each with the number that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.report._values import Doubt
from taskspace.report._words import counted, is_none, listed, share, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from taskspace.atlas.duplicates import Pair
    from taskspace.ranking import Ranking
    from taskspace.report._values import Past, TaskFacts

ITSELF = "left out as the target itself"
"""How the note begins that is no doubt."""

TITLES = {
    "uninformative": "labels that look like noise", "label noise": "contradicting labels",
    "labels missing": "missing labels",
    "balance": "one label prevails", "rare labels": "rare labels", "uncalibrated": "likeness is not a gain",
    "interval": "no gain is within the interval", "order": "the order is not sure",
    "few targets": "few measured targets",
    "recipe": "one way of tuning", "few rows": "few rows", "pool overlap": "texts that the space knows",
    "truncation": "long texts are cut", "copies": "the same task elsewhere", "note": "the ranking notes",
}  # fmt: skip
"""What doubts are called on the page."""

_FEW_ROWS, _FEW_PER_CLASS, _FEW_TARGETS = 200, 10, 10
_MANY_CUT, _LOPSIDED = 0.1, 0.8


def doubts_of(
    task: TaskFacts, ranking: Ranking, past: Past, copies: tuple[Pair, ...], *, unit: str, hundredths: bool
) -> tuple[Doubt, ...]:
    """Grave ones first."""
    said = [note for note in ranking.notes if not note.startswith(ITSELF)]
    found = [
        *_of_the_labels(task), *_of_the_order(ranking, past, unit=unit, hundredths=hundredths), *_of_the_rows(task),
        *_of_copies(copies), *(Doubt("note", f"{note[0].upper()}{note[1:]}.", False) for note in said),
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda doubt: not doubt.grave))


def _of_the_labels(task: TaskFacts) -> Iterator[Doubt]:
    if not task.informative:
        yield Doubt(
            "uninformative",
            "Seen through the base model, these labels cannot be told from noise, so likeness to other tasks means"
            " nothing. More rows may help; so may another base model, if the labels are right.",
            True,
        )
    if task.contradicting:
        yield Doubt(
            "label noise", f"{counted(task.contradicting, 'text')} of {task.name} "
            f"{'stands' if task.contradicting == 1 else 'stand'} under several labels at once.", False,
        )  # fmt: skip
    if task.unlabelled:
        yield Doubt("labels missing", f"{counted(task.unlabelled, 'row')} without a label did not count.", False)
    balance: tuple[tuple[str, int], ...] = task.balance or ()
    most = max(balance, key=lambda pair: pair[1], default=("", 0))
    if most[1] > _LOPSIDED * sum(count for _, count in balance) and len(balance) > 1:
        part = share(most[1] / sum(count for _, count in balance))
        yield Doubt(
            "balance", f"{part} of the rows have one label, {most[0]}: accuracy alone would flatter a model that always"
            " says it.", False,
        )  # fmt: skip
    rare = [name for name, count in balance if count < _FEW_PER_CLASS]
    if rare:
        yield Doubt("rare labels", f"Fewer than {_FEW_PER_CLASS} rows each: {listed(rare)}.", False)


def _of_the_order(ranking: Ranking, past: Past, *, unit: str, hundredths: bool) -> Iterator[Doubt]:
    sources = [hit for hit in ranking if not is_none(hit.kind)]
    if not sources:
        return
    if not ranking.calibrated:
        yield Doubt(
            "uncalibrated",
            "The order is by likeness alone. What a likeness is worth was not learned here, since transfers to fewer"
            " than two other targets of this atlas have been measured; the plain model may well be the best start.",
            True,
        )
        return
    first = sources[0].gain
    assert first is not None
    if first.low <= 0 < first.high:
        yield Doubt(
            "interval",
            f"The interval of the best candidate, {sources[0].name}, reaches from"
            f" {signed(first.low, hundredths=hundredths)} to {signed(first.high, hundredths=hundredths)} {unit}:"
            " no gain at all is among what may come of it.",
            first.mean <= 0 or first.helps < 0.75,
        )  # fmt: skip
    level = [hit.name for hit in sources[1:] if hit.gain is not None and hit.gain.high > first.mean]
    if level:
        yield Doubt(
            "order", f"The intervals of {counted(len(level), 'other candidate')} reach beyond what is expected of"
            f" {sources[0].name}: {listed(level)}. Try more than one.", False,
        )  # fmt: skip
    if past.measured_targets < _FEW_TARGETS:
        yield Doubt(
            "few targets", f"What signals are worth was learned on {counted(past.measured_targets, 'measured target')}."
            " Intervals allow for that, but each further target may change the order.", past.measured_targets < 4,
        )  # fmt: skip
    yield Doubt(
        "recipe",
        "Gains are predicted for the way in which the known ones were measured: as many rows, the same model, the same"
        " tuning.",
        False,
    )


def _of_the_rows(task: TaskFacts) -> Iterator[Doubt]:
    if task.rows is not None and task.rows < _FEW_ROWS and task.kind == "dataset":
        yield Doubt(
            "few rows", f"The task is seen through {counted(task.rows, 'row')}; another sample may swap near"
            " neighbours.", task.rows < _FEW_ROWS // 4,
        )  # fmt: skip
    if task.rows and task.pool_overlap:
        yield Doubt(
            "pool overlap", f"{counted(task.pool_overlap, 'row')} ({share(task.pool_overlap / task.rows)}) also "
            f"{'stands' if task.pool_overlap == 1 else 'stand'} among the texts that the space was made of, so the"
            " space suits it better than it would suit new texts.", False,
        )  # fmt: skip
    lengths = task.lengths
    if lengths is not None and lengths.cut and lengths.cut > _MANY_CUT:
        yield Doubt(
            "truncation", f"{share(lengths.cut)} of the texts reach the limit of {lengths.limit} tokens; what follows"
            " was not read.", lengths.cut > 0.5,
        )  # fmt: skip


def _of_copies(copies: tuple[Pair, ...]) -> Iterator[Doubt]:
    if copies:
        names = listed([pair.second for pair in copies])
        yield Doubt(
            "copies", f"The same task stands in the atlas as {names}; as a place to start from it would only repeat the"
            " target's own rows.", False,
        )  # fmt: skip
