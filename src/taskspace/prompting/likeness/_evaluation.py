"""How well a measure ranks source prompts, by transfers that were measured.

Per target the candidates are all other prompts with a measured transfer; source = target is left out.  NDCG has
linear gain: scores of the target min-max scaled over its candidates, the whole list counted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from taskspace.errors import DataError, SettingError
from taskspace.prompting.likeness._measures import measure_named
from taskspace.prompting.likeness._transfers import by_target, known_transfers, source_prior
from taskspace.ranking.metrics import Interval, bootstrap, chance, ndcg, paired, regret_at, skill, spearman

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from taskspace.prompting.likeness._measures import Measure
    from taskspace.prompting.likeness._transfers import Measured, Scores

Metric: TypeAlias = Literal["ndcg", "regret_1", "regret_3", "spearman"]

interval = bootstrap
"""A mean over targets, where it would lie with others: the name it has beside :class:`TransferEvaluation`."""


@dataclass(frozen=True)
class TargetResult:
    """One target with ``sources`` candidates; regrets in units of the scores, lower is better.

    ``*_chance`` is the exact mean over all orders, ``ndcg_prior`` what the target-blind prior gets.
    """

    target: str
    sources: int
    ndcg: float
    ndcg_chance: float
    ndcg_prior: float
    regret_1: float
    regret_1_chance: float
    regret_3: float
    regret_3_chance: float
    spearman: float


@dataclass(frozen=True)
class TransferEvaluation:
    """A measure's results per target, and their means with intervals."""

    measure: str
    targets: tuple[TargetResult, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[TargetResult]:
        return iter(self.targets)

    def __len__(self) -> int:
        return len(self.targets)

    def column(self, name: str) -> NDArray[np.float64]:
        """float64[targets] of a field of :class:`TargetResult`."""
        return np.array([getattr(result, name) for result in self.targets], dtype=np.float64)

    def mean(self, name: str = "ndcg") -> Interval:
        """A field's mean over targets."""
        return interval(self.column(name))

    @property
    def skill(self) -> float:
        """(NDCG - chance) / (1 - chance) of the means: 0 is chance, 1 perfect."""
        return skill(float(self.column("ndcg").mean()), float(self.column("ndcg_chance").mean()))

    def gain_over(self, other: TransferEvaluation, metric: Metric = "ndcg") -> Interval:
        """Mean difference on the same targets, paired; raises :class:`SettingError` for other targets."""
        if metric not in get_args(Metric):
            raise SettingError(f"metric={metric!r} is not known; say one of {', '.join(get_args(Metric))}")
        if [r.target for r in self] != [r.target for r in other]:
            raise SettingError("the two evaluations have other targets; evaluate both on the same transfers")
        return paired(self.column(metric), other.column(metric))

    def __str__(self) -> str:
        width = max(len("mean"), *(len(result.target) for result in self.targets))
        head = f"{'target':<{width}}  sources   ndcg  chance  prior  regret@1  regret@3  spearman"
        rows = [
            f"{r.target:<{width}}  {r.sources:>7}  {r.ndcg:.3f}   {r.ndcg_chance:.3f}  {r.ndcg_prior:.3f}  "
            f"{r.regret_1:>8.3f}  {r.regret_3:>8.3f}  {r.spearman:>8.2f}"
            for r in self.targets
        ]
        whole = self.mean()
        said = f"{self.measure}: NDCG {whole.mean:.3f} [{whole.low:.3f}, {whole.high:.3f}], linear gain, of "
        said += f"{len(self)} targets; chance {self.mean('ndcg_chance').mean:.3f}, skill {self.skill:.2f}"
        return "\n".join([head, *rows, said, *(f"note: {note}" for note in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """Plain values that ``json.dumps`` takes."""
        means = {name: asdict(self.mean(name)) for name in get_args(Metric)}
        blind = {name: self.mean(name).mean for name in ("ndcg_chance", "ndcg_prior", "regret_1_chance")}
        blind["regret_3_chance"] = self.mean("regret_3_chance").mean
        return {
            "measure": self.measure, **means, **blind, "skill": self.skill,
            "targets": [asdict(result) for result in self.targets], "notes": list(self.notes),
        }  # fmt: skip


def evaluate_transfers(
    prompts: Mapping[str, ArrayLike], transfers: Iterable[Measured], measure: str | Measure = "pooled"
) -> TransferEvaluation:
    """Rank the candidates of each target by a measure of :data:`MEASURES`, or another, and compare with the truth.

    ``prompts`` float32[m, d] by name, of one backbone.  Priors and known transfers are made anew for each target
    from the other ones: neither the target's transfers nor its prompt as a source is seen.

    Raises :class:`DataError` when no target has a prompt and two measured sources with prompts.
    """
    chosen = measure_named(measure)
    scores = by_target(transfers)
    results = tuple(
        _result(chosen, prompts, scores, target, candidates)
        for target in scores
        if target in prompts and len(candidates := [s for s in prompts if s != target and s in scores[target]]) > 1
    )
    if not results:
        raise DataError(
            f"none of {len(scores)} targets has a prompt and two measured sources with prompts; check their names"
        )
    name = measure if isinstance(measure, str) else measure.about
    return TransferEvaluation(name, results, _notes(scores, prompts, [r.target for r in results]))


def _result(
    measure: Measure, prompts: Mapping[str, ArrayLike], scores: Scores, target: str, candidates: Sequence[str]
) -> TargetResult:
    prior = source_prior(scores, target, candidates)
    known = known_transfers(scores, target, candidates)
    tokens = [prompts[name] for name in candidates]
    given = measure(prompts[target], tokens, names=[repr(name) for name in candidates], prior=prior, known=known)
    truth = np.array([scores[target][name] for name in candidates])
    return TargetResult(
        target=target, sources=len(candidates),
        ndcg=ndcg(truth, given), ndcg_chance=chance(ndcg, truth), ndcg_prior=ndcg(truth, prior),
        regret_1=regret_at(truth, given, 1), regret_1_chance=chance(regret_at, truth, k=1),
        regret_3=regret_at(truth, given, 3), regret_3_chance=chance(regret_at, truth, k=3),
        spearman=spearman(truth, given),
    )  # fmt: skip


def _notes(scores: Scores, prompts: Mapping[str, ArrayLike], used: Sequence[str]) -> tuple[str, ...]:
    mute = sorted({source for row in scores.values() for source in row} - set(prompts))
    skipped = sorted(set(scores) - set(used))
    return (
        *((f"sources without a prompt are left out: {', '.join(mute)}",) if mute else ()),
        *((f"targets without a prompt or two sources are left out: {', '.join(skipped)}",) if skipped else ()),
    )
