"""The leaderboard itself: which methods are on it, and every one of them scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from taskspace.bench.rank.costs import cost_of
from taskspace.bench.rank.orders import Folds, Recipe
from taskspace.bench.rank.scoring import ANSWER, SIGNAL, Entry, Judge
from taskspace.errors import SettingError, did_you_mean
from taskspace.ranking.signals import signal_named, signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from taskspace.bench.rank.ground import GroundTruth
    from taskspace.bench.rank.orders import Order
    from taskspace.ranking.signals import Signal

SHORTLIST = 5
"""Sources that are run where not all can be."""
CONTROLS = ("prior", "prior+ranks", "random")
_UNASKED = ("in_context",)
"""What has to be asked for by name, since a language model must be given with it."""


def answers(learner: str = "response") -> tuple[Recipe, ...]:
    """The fused answers: from data alone, which is what an atlas answers, with every source model run, and with the
    few that data put first.
    """
    data = tuple(signal_named(name) for name in (learner, f"{learner}+neighbours", "prior+ranks"))
    models = (*data, signal_named("logme"))
    return (
        Recipe("answer:data", "no source model is run", data),
        Recipe("answer:models", "LogME of every source model", models),
        Recipe(
            f"answer:shortlist{SHORTLIST}", f"LogME of the {SHORTLIST} that answer:data puts first", models, ("logme",),
            SHORTLIST,
        ),
    )  # fmt: skip


def chosen(names: Sequence[str] | None) -> tuple[list[Signal] | None, tuple[Recipe, ...]]:
    """Signals and answers by name, or all; raises :class:`SettingError` for a name that is neither."""
    fused = {recipe.name: recipe for recipe in answers()}
    if names is None:
        return None, tuple(fused.values())
    known = {**signals(), **fused}
    for name in names:
        if name not in known:
            raise SettingError(f"there is no signal or answer {name!r}{did_you_mean(name, known)}")
    asked = [signal_named(name) for name in names if name not in fused]
    return asked, tuple(fused[name] for name in names if name in fused)


@dataclass(frozen=True, eq=False, kw_only=True)
class Leaderboard:
    """Scored methods, best first within their kind, and what a reader must know of them.

    ``against`` is the answer that every other row is compared with; ``silent`` says why a signal is not on the board;
    ``shared`` lists source, target and the share of the target's rows that also stand in the source's.
    """

    title: str
    entries: tuple[Entry, ...]
    chance: Entry
    ceiling: Entry | None
    against: Entry
    skills: Mapping[str, Mapping[str, float]]
    targets: tuple[str, ...]
    candidates: tuple[int, ...]
    runs: tuple[int, int]
    unit: str
    relative: bool
    silent: Mapping[str, str] = field(default_factory=dict[str, str])
    shared: Sequence[tuple[str, str, float]] = ()

    def of_kind(self, kind: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.kind == kind)

    def named(self, name: str) -> Entry:
        """The row of that name; raises :class:`SettingError` with the nearest one."""
        rows = {entry.name: entry for entry in self.entries}
        if name not in rows:
            raise SettingError(f"{name!r} is not on the leaderboard{did_you_mean(name, rows)}")
        return rows[name]


def leaderboard(
    ground: GroundTruth,
    asked: Sequence[Signal] | None = None,
    recipes: Sequence[Recipe] | None = None,
    *,
    title: str = "Leaderboard",
    target_rows: int = 128,
    source_rows: int = 1000,
    shared: Sequence[tuple[str, str, float]] = (),
    draws: int = 1000,
    tell: Callable[[str], None] = lambda line: None,
) -> Leaderboard:
    """Score ``asked`` signals (default: all that can be read here) and ``recipes`` on every target, left out in turn.

    A signal that can tell of no target is named with its reason, and an answer whose signals all stand there.  Raises
    :class:`SettingError` where nothing is left.
    """
    folds, judge = Folds(ground), Judge(ground, draws=draws)
    rows: list[Entry] = []
    silent: dict[str, str] = {}
    for signal in _usual() if asked is None else asked:
        if found := folds.single(signal):
            cost = cost_of([signal], target_rows=target_rows, source_rows=source_rows)
            rows.append(_entry(judge, signal.name, signal.about, SIGNAL, found, cost=cost, needs=signal.needs))
            tell(f"{signal.name}: NDCG {rows[-1].mean().mean:.3f}")
        else:
            silent[signal.name] = folds.problem(signal, ground.targets[0]) or ""
    for recipe in answers() if recipes is None else recipes:
        mute = [signal.name for signal in recipe.signals if not folds.single(signal)]
        if mute:
            silent[recipe.name] = f"it needs {', '.join(mute)}"
            continue
        rows.append(_answer(folds, judge, recipe, target_rows, source_rows))
        tell(f"{recipe.name}: NDCG {rows[-1].mean().mean:.3f}")
    return _assembled(ground, judge, rows, silent, title, shared)


def _answer(folds: Folds, judge: Judge, recipe: Recipe, target_rows: int, source_rows: int) -> Entry:
    found = folds.fused(recipe)
    counts = [len(order.scores) for order in found]
    run = min(1.0, recipe.shortlist / float(np.mean(counts))) if recipe.shortlist else 1.0
    cost = cost_of(
        recipe.signals, target_rows=target_rows, source_rows=source_rows, run=run, costly=recipe.costly
    )  # fmt: skip
    learned = np.mean([order.weights for order in found if order.weights is not None], axis=0)
    weights = {signal.name: float(weight) for signal, weight in zip(recipe.signals, learned, strict=True)}
    needs = tuple(dict.fromkeys(need for signal in recipe.signals for need in signal.needs))
    return _entry(judge, recipe.name, recipe.about, ANSWER, found, cost=cost, needs=needs, weights=weights)


def _entry(judge: Judge, name: str, about: str, kind: str, found: Sequence[Order], **more: object) -> Entry:
    return Entry(
        name=name, about=about, kind=kind, values=judge.values(found), known=judge.known(found),
        seconds=float(np.mean([order.seconds for order in found])), p=judge.p(found),
        decisions=judge.decisions(found), **more,  # pyright: ignore[reportArgumentType]  # as the caller names them
    )  # fmt: skip


def _assembled(
    ground: GroundTruth,
    judge: Judge,
    rows: Sequence[Entry],
    silent: Mapping[str, str],
    title: str,
    shared: Sequence[tuple[str, str, float]],
) -> Leaderboard:
    if not rows:
        why = next(iter(silent.values()), "none was asked for")
        raise SettingError(f"there is nothing to score ({why}); ask for other signals")
    best_first = sorted(rows, key=lambda entry: (entry.kind != ANSWER, -entry.mean().mean, entry.name))
    return Leaderboard(
        title=title,
        entries=tuple(best_first),
        chance=judge.chance,
        ceiling=judge.ceiling,
        against=_against(best_first),
        skills={entry.name: {name: judge.skill(entry, name) for name in entry.values} for entry in rows},
        targets=ground.targets,
        candidates=tuple(len(ground.candidates(target)) for target in ground.targets),
        runs=_runs(ground),
        unit=ground.transfers.metric,
        relative=ground.relative,
        silent=silent,
        shared=shared,
    )


def _against(rows: Sequence[Entry]) -> Entry:
    """The answer that knows most, and runs what it wants to; without an answer, the best signal."""
    fused = [entry for entry in rows if entry.kind == ANSWER and "shortlist" not in entry.name]
    return max(fused, key=lambda entry: len(entry.weights or ()), default=rows[0])


def _runs(ground: GroundTruth) -> tuple[int, int]:
    """Fewest and most runs of a cell that counts."""
    counts = [(~np.isnan(ground.runs(target, ground.candidates(target)))).sum(axis=1) for target in ground.targets]
    every = np.concatenate(counts)
    return int(every.min()), int(every.max())


def _usual() -> Iterable[Signal]:
    return (signal for name, signal in signals().items() if name not in _UNASKED)
