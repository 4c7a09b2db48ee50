"""What a report says, as plain values; how it looks is none of their business."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.atlas.duplicates import Pair
    from taskspace.atlas.map import Map
    from taskspace.embedding import Kind
    from taskspace.ranking import Hit, Ranking

Advice: TypeAlias = Literal["start", "try", "plain", "nearest", "doubtful", "nothing"]
"""Sure to help; likely to help; do not transfer; only an order is known; the labels say nothing; no candidate."""

FORMAT = 1


@dataclass(frozen=True)
class Example:
    """One row; ``label`` is None where it is missing."""

    text: str
    pair: str | None
    label: str | None


@dataclass(frozen=True)
class Lengths:
    """Quartiles of the rows' lengths, in ``unit``; ``cut`` is the share of texts that reach the ``limit``, if known."""

    unit: str
    least: int
    quarter: int
    median: int
    three_quarters: int
    most: int
    mean: float
    limit: int | None = None
    cut: float | None = None


@dataclass(frozen=True)
class TaskFacts:
    """What the target looks like.

    All after ``informative`` needs the rows, and is None for a target that is only a name in an atlas: ``balance``
    are rows per label, most first, or quartiles of numbers; ``repeated`` counts rows whose text came before,
    ``contradicting`` the distinct texts that stand under several labels.
    """

    name: str
    kind: Kind
    description: str
    rows: int | None
    classes: int | None
    label_kind: str | None
    pool_overlap: int | None
    skill: float | None
    effective_rank: float | None
    informative: bool
    balance: tuple[tuple[str, int], ...] | None = None
    quartiles: tuple[float, ...] | None = None
    unlabelled: int | None = None
    pairs: int | None = None
    repeated: int | None = None
    contradicting: int | None = None
    lengths: Lengths | None = None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Step:
    """What one signal adds to a candidate's score; ``says`` is the signal in words, ``reading`` its own value."""

    signal: str
    says: str
    adds: float
    reading: float | None


@dataclass(frozen=True)
class Candidate:
    """One thing to start from, and why it stands where it does."""

    hit: Hit
    steps: tuple[Step, ...]
    parameters: int | None
    cost: float | None
    """FLOPs from here to a tuned model, None where the size of the model is unknown."""


@dataclass(frozen=True)
class Place:
    """A neighbour, and its cosine with the target."""

    name: str
    kind: str
    similarity: float


@dataclass(frozen=True)
class Past:
    """Measured gains on the measured targets most like this one: ``gains[i][j]`` of ``sources[j]`` on ``targets[i]``.

    None where nothing was measured.  ``usual`` is the mean over all sources of that target; ``own`` are gains that were
    measured on the target itself, best first, and ``metric`` their unit.
    """

    sources: tuple[str, ...]
    targets: tuple[Place, ...]
    gains: tuple[tuple[float | None, ...], ...]
    usual: tuple[float | None, ...]
    own: tuple[tuple[str, float], ...]
    metric: str
    measured_targets: int


@dataclass(frozen=True)
class Cost:
    """What fine-tuning takes, under ``assumptions``, in FLOPs; None where the size of the model is unknown.

    ``one`` is a tuning on the target alone, ``first`` all that the first candidate needs, ``every`` that of every
    candidate, ``look`` one pass over the target's rows, which is what placing it took.  ``per_parameter`` is ``one``
    for each parameter of a model.  ``rate`` are FLOPs a second.
    """

    base: str
    parameters: int | None
    rows: int | None
    tokens_per_row: float
    epochs: float
    per_parameter: float | None
    one: float | None
    first: float | None
    every: float | None
    candidates: int
    look: float | None
    rate: float | None
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class Doubt:
    """One reason to be careful; ``grave`` ones may turn the advice around."""

    what: str
    says: str
    grave: bool


@dataclass(frozen=True)
class Verdict:
    """The advice in one sentence, and one more."""

    advice: Advice
    headline: str
    detail: str


@dataclass(frozen=True)
class Made:
    """Where the page comes from; ``date`` and ``command`` as given, so that the same question gives the same page."""

    version: str
    atlas: str
    entries: int
    transfers: int
    space: Mapping[str, Any] = field(hash=False)
    command: str | None
    date: str | None


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that is said of one target; ``unit`` is what gains are counted in.

    ``hundredths`` says that scores lie between 0 and 1, and gains are told in points, hundredths of them.
    """

    target: TaskFacts
    verdict: Verdict
    ranking: Ranking
    candidates: tuple[Candidate, ...]
    neighbours: tuple[Place, ...]
    copies: tuple[Pair, ...]
    past: Past
    cost: Cost
    doubts: tuple[Doubt, ...]
    made: Made
    unit: str
    hundredths: bool
    map: Map | None = None
    focus: int | None = None
    """The target's place on the map."""

    def to_html(self) -> str:
        """The page; see :func:`taskspace.report.render`."""
        from taskspace.report._render import render

        return render(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that ``json.dumps`` takes."""
        told = {candidate.hit.rank for candidate in self.candidates}
        hits = tuple(hit for hit in self.ranking if hit.rank in told or hit.kind == "none")
        return {
            "format": FORMAT, "target": asdict(self.target), "verdict": asdict(self.verdict),
            "ranking": replace(self.ranking, hits=hits).to_dict(),
            "candidates": [
                {"name": c.hit.name, "rank": c.hit.rank, "steps": [asdict(step) for step in c.steps],
                 "parameters": c.parameters, "cost": c.cost}
                for c in self.candidates
            ],
            "neighbours": [asdict(place) for place in self.neighbours],
            "copies": [asdict(pair) for pair in self.copies],
            "past": asdict(self.past), "cost": asdict(self.cost), "doubts": [asdict(doubt) for doubt in self.doubts],
            "made": {**asdict(self.made), "space": dict(self.made.space)}, "unit": self.unit,
            "map": None if self.map is None else self.map.to_dict(),
        }  # fmt: skip
