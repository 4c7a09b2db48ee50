"""The few-shot part as tables: raw means beside tests against a random init and the best single source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.prompting.study.shots import REFERENCES, best_single, by_unit, cells, compare
from taskspace.prompting.study.statistics import holm, mean_interval, two_way_interval, welch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from taskspace.prompting.study.rows import Row, Value
    from taskspace.prompting.study.runs import Run
    from taskspace.prompting.study.shots import Cell, Single
    from taskspace.prompting.study.statistics import Comparison


def shot_table(runs: Iterable[Run]) -> list[Row]:
    """A row per target, shots and start: mean, sd and n of raw runs, and tests against both references.

    ``X_difference`` is the mean gain over reference X paired by unit, with Student's interval and p; ``X_boot_low``
    to ``X_boot_high`` draws inits and seeds anew where both vary; ``X_welch_p`` tests the units unpaired.  Holm goes
    over the targets and shots of one method against one reference.  Beside the random init and the single sources
    themselves nothing is compared with the single sources.
    """
    runs = tuple(runs)
    tested = cells(runs)
    best = best_single(tested, cells(runs, "validation"))
    random = {(each.task, each.shots): each for each in tested if each.method == "random"}
    rows = [_row(each, best) for each in tested]
    for reference, others in (("random", random), ("single", {key: each.cell for key, each in best.items()})):
        against = [others.get((each.task, each.shots)) if _compared(each, reference) else None for each in tested]
        for row, columns in zip(rows, _tests(tested, against, reference), strict=True):
            row.update(columns)
    return rows


def shot_summary(rows: Sequence[Row], *, level: float = 0.05) -> list[Row]:
    """The rows of :func:`shot_table` for reading: a row per target and start, a column per number of shots.

    Cells are "mean ± sd (n)"; * and † mark adjusted p below ``level`` against the random init and the best single
    source, in either direction.
    """
    found: dict[tuple[Value, str], Row] = {}
    for row in rows:
        name = f"single: {row['source']}" if row["source"] else str(row["method"])
        spread = "" if row["sd"] is None else f" ± {row['sd']:.3f}"
        marks = "".join(
            mark
            for reference, mark in zip(REFERENCES, "*†", strict=True)
            if isinstance(p := row.get(f"{reference}_p_holm"), float) and p < level
        )
        line = found.setdefault((row["task"], name), {"task": row["task"], "start": name})
        line[f"{row['shots']} shots"] = f"{row['mean']:.3f}{spread} ({row['n']}){marks}"
    return list(found.values())


def _compared(cell: Cell, reference: str) -> bool:
    return cell.method != "random" and not (reference == "single" and cell.method == "single")


def _row(cell: Cell, best: Mapping[tuple[str, int], Single]) -> Row:
    mean, low, high = mean_interval(cell.values)
    single = best.get((cell.task, cell.shots))
    return {
        "task": cell.task,
        "shots": cell.shots,
        "method": cell.method,
        "source": cell.source,
        "mean": mean,
        "sd": float(np.std(cell.values, ddof=1)) if len(cell.values) > 1 else None,
        "n": len(cell.values),
        "mean_low": low,
        "mean_high": high,
        "best_single": None if single is None else single.cell.source,
        "best_single_chosen_on": None if single is None else single.chosen_on,
    }


def _tests(tested: Sequence[Cell], against: Sequence[Cell | None], reference: str) -> list[Row]:
    """The columns of every cell's test against a reference, Holm inside each method."""
    pairs = [compare(cell, other) if other else None for cell, other in zip(tested, against, strict=True)]
    loose = [_unpaired(cell, other) if other else None for cell, other in zip(tested, against, strict=True)]
    adjusted, loose_adjusted = (_within_methods(tested, found) for found in (pairs, loose))
    return [
        {}
        if pair is None or free is None or other is None
        else {
            f"{reference}_units": pair.n[0],
            f"{reference}_difference": pair.difference,
            f"{reference}_low": pair.low,
            f"{reference}_high": pair.high,
            **dict(zip((f"{reference}_boot_low", f"{reference}_boot_high"), _crossed(cell, other), strict=True)),
            f"{reference}_g": pair.g,
            f"{reference}_p": pair.p,
            f"{reference}_p_holm": adjusted[i],
            f"{reference}_welch_p": free.p,
            f"{reference}_welch_p_holm": loose_adjusted[i],
            f"{reference}_note": pair.note,
        }
        for i, (cell, other, pair, free) in enumerate(zip(tested, against, pairs, loose, strict=True))
    ]


def _unpaired(first: Cell, second: Cell) -> Comparison:
    sides = by_unit(first, second)
    return welch(*([float(np.mean(own)) for own in side.values()] for side in sides))


def _within_methods(tested: Sequence[Cell], found: Sequence[Comparison | None]) -> list[float | None]:
    """Holm over the cells of each method."""
    adjusted: list[float | None] = [None] * len(tested)
    for method in {each.method for each in tested}:
        own = [i for i, each in enumerate(tested) if each.method == method]
        ps = [test.p if (test := found[i]) else None for i in own]
        for i, p in zip(own, holm(ps), strict=True):
            adjusted[i] = p
    return adjusted


def _crossed(first: Cell, second: Cell) -> tuple[float | None, float | None]:
    """Two-way bootstrap over inits and seeds of first minus second."""
    common = [key for key in first.scores if key in second.scores]
    inits, seeds = (sorted({key[axis] for key in common}) for axis in (0, 1))
    grid = np.full((len(inits), len(seeds)), np.nan)
    for init, seed in common:
        grid[inits.index(init), seeds.index(seed)] = first.scores[init, seed] - second.scores[init, seed]
    return two_way_interval(grid, draws=2000) or (None, None)
