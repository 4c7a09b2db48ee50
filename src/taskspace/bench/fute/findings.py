"""What the figures say, in sentences that are made of them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.bench.fute.judging import CHANCE, CROSS_DOMAIN, IN_CLASS, PRIOR
from taskspace.bench.fute.parts.pairings import BY, DTE, MTE, ORIGINAL
from taskspace.ranking.metrics import bootstrap, paired

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from taskspace.bench.fute.judging import Judge, Marks, Way
    from taskspace.prompting.study.rows import Row
    from taskspace.ranking.metrics import Interval

_FEW = 5
"""With fewer targets an interval over targets says next to nothing."""

_TEXT = ("text", DTE)


def findings(rows: Sequence[Row], judge: Judge) -> list[str]:
    """Sentences on the pairings.

    "Surely" is a 95 % bootstrap interval of the difference, paired over targets, that leaves out 0.
    """
    marks = _found(judge.marks(rows, BY))
    if not marks:
        return ["No target has two sources that were both measured and embedded."]
    said = [_size(marks, judge), _best(marks), *_all_surely(marks)]
    for learner in dict.fromkeys(str(way[0]) for way in marks if len(way) > 1):
        said += _differences(marks, learner)
    return [*said, *_in_class(judge, rows), *_cross_domain(judge, rows)]


def _found(marks: Mapping[Way, Marks]) -> dict[Way, Marks]:
    return {way: targets for way, targets in marks.items() if targets}


def _all_surely(marks: Mapping[Way, Marks]) -> list[str]:
    bases = {"chance": CHANCE, "the target-blind prior": PRIOR, "`text`": _TEXT}
    return [_surely(marks, name, base) for name, base in bases.items() if base in marks]


def _size(marks: Mapping[Way, Marks], judge: Judge) -> str:
    targets = marks[CHANCE]
    sources = _range([int(found["sources"]) for found in targets.values()])
    seeds = _range([judge.runs(target) for target in targets])
    noun = "seed" if seeds == "1" else "seeds"
    return f"{len(targets)} targets, {sources} sources each, transfers measured with {seeds} {noun}."


def _range(counts: Sequence[int]) -> str:
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _best(marks: Mapping[Way, Marks]) -> str:
    ways = [way for way in marks if way not in (PRIOR, CHANCE)]
    best = max(ways, key=lambda way: _mean(marks[way]))
    others = [f"{_name(way)} {_mean(marks[way]):.3f}" for way in (_TEXT, PRIOR, CHANCE) if way in marks and way != best]
    return f"Highest NDCG: {_name(best)}, {_shown(bootstrap(_ndcg(marks[best])))}; {', '.join(others)}."


def _surely(marks: Mapping[Way, Marks], name: str, base: Way) -> str:
    ways = [way for way in marks if way not in (PRIOR, CHANCE, base)]
    over = {way: paired(_ndcg(marks[way]), _ndcg(marks[base])) for way in ways}
    better = [_name(way) for way, found in over.items() if found.low > 0]
    worse = [_name(way) for way, found in over.items() if found.high < 0]
    said = f"Surely better than {name}: {', '.join(better) or 'none'}"
    return f"{said}; surely worse: {', '.join(worse)}." if worse else f"{said}."


def _differences(marks: Mapping[Way, Marks], learner: str) -> list[str]:
    """Models against data sets, and the original way against the model's, where both were done."""
    said: list[str] = []
    asked = [(MTE, DTE)] if learner.startswith("tuned:") else [(MTE, DTE), (ORIGINAL, MTE), (ORIGINAL, DTE)]
    for first, second in asked:
        if (learner, first) in marks and (learner, second) in marks:
            found = paired(_ndcg(marks[learner, first]), _ndcg(marks[learner, second]))
            said.append(f"`{learner}`, {first} minus {second}: {_shown(found, sign=True)}{_verdict(found)}.")
    return said


def _in_class(judge: Judge, rows: Sequence[Row]) -> list[str]:
    marks = _found(judge.marks(rows, BY, candidates=IN_CLASS))
    if not marks:
        return []
    sources = np.mean([found["sources"] for found in marks[CHANCE].values()])
    opening = f"Among sources of the target's own kind of input, {sources:.1f} on average: "
    return [opening + _small(" ".join([_best(marks), *_all_surely(marks)]))]


def _cross_domain(judge: Judge, rows: Sequence[Row]) -> list[str]:
    marks = _found(judge.marks(rows, BY, of=CROSS_DOMAIN))
    if not marks:
        return []
    count = len(marks[CHANCE])
    warning = ", too few to tell ways apart" if count < _FEW else ""
    return [f"On the {_counted(count, 'cross-domain target')}{warning}: {_small(_best(marks))}"]


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _verdict(found: Interval) -> str:
    if found.low <= 0 <= found.high:
        return ", which may be nothing"
    return ""


def _ndcg(marks: Marks) -> list[float]:
    return [found["ndcg"] for found in marks.values()]


def _mean(marks: Marks) -> float:
    return float(np.mean(_ndcg(marks)))


def _name(way: Way) -> str:
    if way in (PRIOR, CHANCE):
        return f"{'the ' if way == PRIOR else ''}{way[0]}"
    return f"`{way[0]}` {way[1]}"


def _shown(found: Interval, *, sign: bool = False) -> str:
    spec = "+.3f" if sign else ".3f"
    return f"{found.mean:{spec}} [{found.low:{spec}}, {found.high:{spec}}]"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
