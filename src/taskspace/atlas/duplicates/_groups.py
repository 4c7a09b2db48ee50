"""From pairs to groups in which everything is close to everything."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from taskspace.atlas.duplicates._pairs import Close


def complete_groups(pairs: Close) -> list[list[int]]:
    """Groups of two and more rows, each sorted, in the order of their first rows.

    Pairs are taken from the most similar to the least, and two groups become one only where every row of the one is
    close to every row of the other (complete linkage): a chain of small steps joins nothing.
    """
    near: dict[int, set[int]] = defaultdict(set)
    for one, other in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        near[one].add(other)
        near[other].add(one)
    group = {row: [row] for row in near}
    order = np.lexsort((pairs.second, pairs.first, -pairs.similarity))
    for one, other in zip(pairs.first[order].tolist(), pairs.second[order].tolist(), strict=True):
        mine, theirs = group[one], group[other]
        if mine is not theirs and all(near[row].issuperset(theirs) for row in mine):
            mine.extend(theirs)
            group.update(dict.fromkeys(theirs, mine))
    whole = {id(rows): rows for rows in group.values() if len(rows) > 1}
    return sorted(sorted(rows) for rows in whole.values())
