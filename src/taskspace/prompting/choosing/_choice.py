"""PromptChoice: prompts in order, how sure the order is, and what it cost, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.prompting.choosing._readings import listed
from taskspace.prompting.choosing._view import readings_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from taskspace.labelers.prompts import Prompt
    from taskspace.prompting.choosing._duplicates import Alike
    from taskspace.prompting.choosing._study import Cost, PromptStudy


@dataclass(frozen=True)
class PromptHit:
    """One prompt in a :class:`PromptChoice`.

    ``score`` means what the choice's ``measure`` says; ``sure`` is the share of resamples of the texts in which
    the prompt comes first (NaN where the score does not depend on them); ``coverage`` the median
    probability that the model says one of the answers at all.
    """

    rank: int
    name: str
    score: float
    sure: float
    coverage: float
    prompt: Prompt


@dataclass(frozen=True, eq=False)
class PromptChoice:
    """Prompts, best first; those equal to another in all but spaces and case are left out and told in ``alike``."""

    hits: tuple[PromptHit, ...]
    method: str
    calibration: str
    measure: str
    alike: tuple[Alike, ...]
    cost: Cost
    study: PromptStudy
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> PromptHit:
        return self.hits[0]

    def __iter__(self) -> Iterator[PromptHit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __str__(self) -> str:
        width = max(len(hit.name) for hit in self.hits)
        rows = [
            f"{hit.rank:>4}  {hit.name:<{width}}  {hit.score:>8.4f}  {percent(hit.sure):>5}  {percent(hit.coverage):>8}"
            for hit in self.hits
        ]
        head = f"rank  {'prompt':<{width}}     score   sure  coverage"
        return "\n".join([head, *rows, *self._remarks()])

    def _remarks(self) -> list[str]:
        told = [f"score: {self.measure}; higher is better, an order and no accuracy"]
        if self.method != "self_select":
            read = readings_for(self.study, self.method)
            told.append(f"sure: how often the prompt comes first when its texts ({len(read.rows)}) are drawn again")
        told += _alike_lines(self.alike)
        told += [f"note: {note}" for note in self.notes]
        return [*told, f"cost: {self.cost}"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values that ``json.dumps`` takes."""
        hits = [
            {
                "rank": hit.rank, "name": hit.name, "score": _number(hit.score), "sure": _number(hit.sure),
                "coverage": _number(hit.coverage), "template": hit.prompt.template, "note": hit.prompt.note,
            }
            for hit in self.hits
        ]  # fmt: skip
        pairs = [vars(pair) for pair in self.alike]
        return {
            "method": self.method, "calibration": self.calibration, "measure": self.measure, "hits": hits,
            "alike": pairs, "notes": list(self.notes), "cost": vars(self.cost), "model": self.study.readings.model,
        }  # fmt: skip


def _alike_lines(pairs: Sequence[Alike]) -> list[str]:
    """One line for each prompt that others repeat."""
    lines: list[str] = []
    for same_words in (True, False):
        others: dict[str, list[str]] = {}
        for pair in pairs:
            if pair.same_words == same_words:
                others.setdefault(pair.kept, []).append(pair.other)
        said = "has the words of {}, left out" if same_words else "answers like {}"
        lines += [f"same: {listed(names)} {said.format(repr(kept))}" for kept, names in others.items()]
    return lines


def percent(share: float) -> str:
    """A share for people; ``-`` where it was not measured."""
    return "-" if np.isnan(share) else f"{share:.0%}"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
