"""What the paper claims, measured on the runs: a mean over independent units, its interval, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from taskspace.prompting.study.alike import EACH, cosines, likeness
from taskspace.prompting.study.mixed import by_task, compare_by_vector, learned, untrained, vectors
from taskspace.prompting.study.pairs import by_pair, keeps, sums
from taskspace.prompting.study.shots import REFERENCES, best_single, cells, compare, gains
from taskspace.prompting.study.statistics import holm, paired
from taskspace.prompting.study.verdicts import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from taskspace.prompting.study.alike import Of
    from taskspace.prompting.study.prompts import TunedPrompt
    from taskspace.prompting.study.rows import Row
    from taskspace.prompting.study.runs import Run
    from taskspace.prompting.study.shots import Cell
    from taskspace.prompting.study.statistics import Comparison
    from taskspace.prompting.study.verdicts import Verdict

SUM = "tpv"


@dataclass(frozen=True)
class Claim:
    """A claim at one place, what was ``measured`` for it (``figure`` with its interval over ``n`` units), the verdict.

    ``p`` is raw, ``p_holm`` adjusted over the claims that are read together.  ``note`` says what the mean hides.
    """

    claim: str
    where: str
    measured: str
    unit: str
    figure: float | None
    low: float | None
    high: float | None
    n: int
    p: float | None
    p_holm: float | None = None
    verdict: Verdict = "not enough runs"
    note: str = ""

    def row(self) -> Row:
        """The claim as a row of a table."""
        return dict(vars(self))


Measured: TypeAlias = "tuple[Claim, Callable[[float | None], Verdict]]"


def claims(runs: Sequence[Run], prompts: Sequence[TunedPrompt], rules: Rules | None = None) -> list[Claim]:
    """The claims of Task Prompt Vectors, each judged once over the whole study; Holm over them."""
    rules = rules or Rules()
    return _judged(
        [
            _independent(runs, rules),
            _alike(prompts, "vectors", "pooled", rules),
            _serving(runs, rules),
            *(_starting(runs, reference, None, rules) for reference in REFERENCES),
        ]
    )


def details(runs: Sequence[Run], prompts: Sequence[TunedPrompt], rules: Rules | None = None) -> list[Claim]:
    """The same by place: likeness on each of the four maps, starts at each number of shots; Holm inside a claim."""
    rules = rules or Rules()
    levels = sorted({run.shots for run in runs if run.part == "shots" and run.shots is not None})
    groups = [[_alike(prompts, of, measure, rules) for of, measure in EACH]]
    groups += [[_starting(runs, reference, shots, rules) for shots in levels] for reference in REFERENCES]
    return [claim for group in groups for claim in _judged(group)]


def pooled(differences: Sequence[Mapping[int, float]]) -> Comparison:
    """The mean over cells of each unit that is in all of them, against 0; n is the number of such units.

    Averaging inside the unit first keeps the cells of one unit, which are not independent, from counting as many.
    """
    units = [unit for unit in differences[0] if all(unit in own for own in differences)] if differences else []
    return paired([float(np.mean([own[unit] for own in differences])) for unit in units], [0.0] * len(units))


def _judged(found: Sequence[Measured]) -> list[Claim]:
    adjusted = holm([claim.p for claim, _ in found])
    return [replace(claim, p_holm=p, verdict=judge(p)) for (claim, judge), p in zip(found, adjusted, strict=True)]


def _independent(runs: Sequence[Run], rules: Rules) -> Measured:
    """Claim 1: a vector does as well on another init.  One task for which it surely does not is enough against it."""
    telling = learned(runs, rules.margin)
    every = by_task(vectors(runs))
    groups = {task: own for task, own in every.items() if task in telling}
    test = pooled([{each.init: each.change for each in own} for own in groups.values()])
    tests = {task: compare_by_vector(own) for task, own in groups.items()}
    adjusted = dict(zip(tests, holm([each.p for each in tests.values()]), strict=True))
    apart = [task for task, each in tests.items() if rules.differs(each, adjusted[task])]
    equal = sum(rules.same(each, adjusted[task]) == "holds" for task, each in tests.items())
    note = f"surely within ±{rules.margin:g} on {equal} of {len(groups)} tasks"
    if apart:
        note += "; surely beyond it on " + ", ".join(f"{task} ({tests[task].difference:+.3f})" for task in apart)
    if left := [task for task in every if task not in telling]:
        note += f"; left out, their prompts being no better than their inits: {', '.join(left)}"
    claim = _claim(
        "task prompt vectors are independent of their init", "all source tasks",
        "mean change of the score when a vector is put on other inits", "inits", test, note if every else "",
    )  # fmt: skip
    return claim, lambda p: "does not hold" if apart else rules.same(test, p)


def _alike(prompts: Sequence[TunedPrompt], of: Of, measure: str, rules: Rules) -> Measured:
    """Claim 2: more cosine within a task than between tasks, always across inits."""
    found = likeness(cosines(prompts, of, measure))
    note = ""
    if found.tasks:
        own = sum(a > b for a, b in zip(found.within, found.between, strict=True))
        note = f"{np.mean(found.within):.3f} within and {np.mean(found.between):.3f} between tasks"
        note += f"; higher within for {own} of {len(found.tasks)} tasks"
    claim = _claim(
        f"{of} of the same task are more alike than {of} of other tasks", f"{of}, {measure}",
        f"mean {measure} cosine within tasks minus between tasks, across inits", "tasks", found.test, note,
    )  # fmt: skip
    return replace(claim, p=found.p), lambda p: rules.alike(found.test.difference, p)


def _serving(runs: Sequence[Run], rules: Rules) -> Measured:
    """Claim 3: a sum keeps the stated share of both single-task prompts' scores.

    Pairs of which the untrained inits keep as much can show nothing, and do not count.
    """
    starts = untrained(runs)
    every = [own for (_, method), own in by_pair(sums(runs)).items() if method == SUM]
    groups = [own for own in every if np.mean([each.untrained(starts) for each in own]) < rules.share]
    test = pooled([{each.init: each.kept - rules.share for each in own} for own in groups])
    adjusted = holm([keeps(own, rules.share).p for own in groups])
    sure = sum(rules.above(keeps(own, rules.share), p) == "holds" for own, p in zip(groups, adjusted, strict=True))
    above = sum(float(np.mean([each.kept for each in own])) >= rules.share for own in groups)
    nothing = sum(each.scale == 0 for own in groups for each in own)
    note = f"{above} of {len(groups)} pairs keep {rules.share:g} of both on average, {sure} of them surely"
    if len(groups) < len(every):
        note += f"; {len(every) - len(groups)} left out, of which the untrained inits keep as much"
    if nothing:
        note += f"; λ = 0 was best in {nothing} of {sum(map(len, groups))} sums"
    claim = _claim(
        f"sums of two vectors serve both tasks (keep {rules.share:g} of either single-task score)", "all pairs",
        "mean share kept of the task served worse", "inits", test, note if every else "",
    )  # fmt: skip
    shift = {name: None if (end := getattr(claim, name)) is None else end + rules.share for name in _ENDS}
    return replace(claim, **shift), lambda p: rules.above(test, p)


def _starting(runs: Sequence[Run], reference: str, shots: int | None, rules: Rules) -> Measured:
    """Claims 4 and 5: a target tuned from a sum scores higher than from a reference, over targets (and shots)."""
    compared, chosen = _beside(runs, reference, shots)
    test = pooled([gains(cell, other) for cell, other in compared])
    tests = [compare(cell, other) for cell, other in compared]
    pairs = list(zip(tests, holm([each.p for each in tests]), strict=True))
    up, down = (
        sum(p is not None and p < rules.level and sign * (each.difference or 0) > 0 for each, p in pairs)
        for sign in (1, -1)
    )
    note = f"surely higher in {up} and lower in {down} of {len(pairs)} cells of target and shots" if pairs else ""
    note += f"; the single source was chosen on {' and '.join(chosen)}" if chosen else ""
    words = {"random": "a random init", "single": "the best single source"}[reference]
    where = "all shots" if shots is None else f"{shots} shots"
    unit = "inits" if any(len({init for init, _ in cell.scores}) > 1 for cell, _ in compared) else "seeds"
    claim = _claim(
        f"sums start target tasks better than {words}", where,
        f"mean gain of the score over {words}", unit, test, note,
    )  # fmt: skip
    return claim, lambda p: rules.better(test, p)


def _beside(runs: Sequence[Run], reference: str, shots: int | None) -> tuple[list[tuple[Cell, Cell]], tuple[str, ...]]:
    """Each cell of the sum with the cell of its reference; and for single sources the splits that chose them."""
    tested = [each for each in cells(runs) if shots in (None, each.shots)]
    others = {(each.task, each.shots): each for each in tested if each.method == reference}
    chosen: tuple[str, ...] = ()
    if reference == "single":
        best = best_single(tested, cells(runs, "validation"))
        others = {key: each.cell for key, each in best.items()}
        chosen = tuple(sorted({each.chosen_on for each in best.values()}))
    own = [each for each in tested if each.method == SUM and (each.task, each.shots) in others]
    return [(each, others[each.task, each.shots]) for each in own], chosen


def _claim(claim: str, where: str, measured: str, unit: str, test: Comparison, note: str) -> Claim:
    return Claim(
        claim, where, measured, unit, test.difference, test.low, test.high, test.n[0], test.p, note=note
    )  # fmt: skip


_ENDS = ("figure", "low", "high")
