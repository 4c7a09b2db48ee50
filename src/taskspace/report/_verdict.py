"""The advice, in a sentence or two."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from taskspace.report._values import Verdict
from taskspace.report._words import counted, is_none, share, signed

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from taskspace.ranking import Hit, Ranking
    from taskspace.report._values import Past, TaskFacts


def verdict_of(
    task: TaskFacts, ranking: Ranking, past: Past, copies: Container[str], *, unit: str, hundredths: bool
) -> Verdict:
    """What to do, as far as the ranking says; ``copies`` are names under which the target itself is known."""
    found = _advice(task, ranking, past, unit=unit, hundredths=hundredths)
    sources = [hit.name for hit in ranking if not is_none(hit.kind)]
    if not sources or sources[0] not in copies:
        return found
    other = next((name for name in sources if name not in copies), None)
    instead = "there is no other candidate" if other is None else f"the first that is not is {other}"
    return replace(found, detail=f"{found.detail} But {sources[0]} is the same task under another name; {instead}.")


def _advice(task: TaskFacts, ranking: Ranking, past: Past, *, unit: str, hundredths: bool) -> Verdict:
    sources = [hit for hit in ranking if not is_none(hit.kind)]
    if not sources:
        return Verdict("nothing", f"There is nothing in this atlas to start {task.name} from.",
                       "Embed data sets or models into it, then ask again.")  # fmt: skip
    if ranking.calibrated:
        return _calibrated(task, sources, dict(past.own), unit=unit, hundredths=hundredths)
    if not task.informative:
        return Verdict(
            "doubtful", f"What {task.name} should start from cannot be said.",
            "Its labels cannot be told from noise through this base model, so no likeness counts.",
        )  # fmt: skip
    first = sources[0]
    return Verdict(
        "nearest",
        f"{first.name} is most like {task.name}; whether it helps is not known.",
        f"Likeness {first.score:.2f}, the highest of {counted(len(sources), 'candidate')}. No gain can be predicted,"
        " since too few transfers have been measured in this atlas.",
    )


def _calibrated(
    task: TaskFacts, sources: list[Hit], measured: Mapping[str, float], *, unit: str, hundredths: bool
) -> Verdict:
    first, gain = sources[0], sources[0].gain
    assert gain is not None
    low, mean, high = (signed(value, hundredths=hundredths) for value in (gain.low, gain.mean, gain.high))
    expected = f"{mean} {unit} expected (90 % interval {low} to {high})"
    chance = f"it helps with probability {share(gain.helps)}."
    if first.name in measured:
        chance += f" Measured on {task.name} before: {signed(measured[first.name], hundredths=hundredths)}."
    if not task.informative:
        return Verdict(
            "doubtful", f"What {task.name} should start from cannot be said with any trust.",
            "Its labels cannot be told from noise through this base model, so a gain read off from them means little."
            f" By the numbers alone {first.name} would come first: {expected}.",
        )  # fmt: skip
    if gain.mean <= 0:
        return Verdict("plain", f"Start {task.name} from the plain model.",
                       f"No candidate is expected to help. The best, {first.name}: {expected}; {chance}")  # fmt: skip
    if gain.low > 0:
        return Verdict("start", f"Start {task.name} from {first.name}.", f"{expected}; {chance}")
    return Verdict("try", f"Try {first.name} first for {task.name}, beside the plain model.", f"{expected}; {chance}")
