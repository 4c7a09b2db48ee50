"""Seeded draws of rows: by content and not by place, by class, and with their near copies."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from taskspace.errors import DataError, SettingError
from taskspace.labels import Classes
from taskspace.task import plain_letters

if TYPE_CHECKING:
    from taskspace.task import Task


def parted(task: Task, size: int, seed: int, *, leave: int = 1) -> tuple[Task, Task]:
    """What is left, and ``size`` rows (near copies as one) drawn by class; ``leave`` of every class stay."""
    order, classes = places(task, seed), strata(task)
    groups = [rows for rows in alike(task) if len({classes[row] for row in rows}) == 1]
    groups.sort(key=lambda rows: min(order[row] for row in rows))
    counts = Counter(classes[rows[0]] for rows in groups)
    spare = sum(n - leave for n in counts.values())
    if not 0 < size <= spare:
        raise DataError(
            f"task {task.name!r} has {len(task)} rows, of which {max(spare, 0)} can be spared where {max(size, 1)} "
            "should be held out; give more rows or ask for fewer"
        )
    left, drawn = _shares(counts, size, leave), list[int]()
    for rows in groups:
        if left[classes[rows[0]]]:
            left[classes[rows[0]]] -= 1
            drawn += rows
    return task.take(sorted(set(range(len(task))) - set(drawn))), task.take(sorted(drawn))


def _shares(counts: Counter[str], size: int, leave: int) -> dict[str, int]:
    """``size`` by largest remainder, keeping ``leave`` back of each class."""
    total = counts.total()
    shares = {key: n * size // total for key, n in counts.items()}  # below n, since size is below total
    order = sorted(counts, key=lambda key: (-(counts[key] * size % total), key))
    while (missing := size - sum(shares.values())) > 0:
        for key in [key for key in order if shares[key] < counts[key] - leave][:missing]:
            shares[key] += 1
    return shares


def share_of(task: Task, share: float) -> int:
    """That share of the rows, near copies as one; at least one."""
    if not 0 < share < 1:
        raise SettingError(f"{share!r} is not a share of the rows between 0 and 1; give one such as 0.2")
    return max(1, round(share * len(alike(task))))


def places(task: Task, seed: int) -> list[bytes]:
    """Where each row stands in the shuffle, by content; equal rows share a place."""
    keys = [""] * len(task) if task.stated_labels is None else task.stated_labels.row_keys()
    rows = zip(task.inputs.digests, keys, strict=True)
    return [
        hashlib.sha256(b"%d/" % seed + digest + key.encode("utf-8", "surrogatepass")).digest() for digest, key in rows
    ]


def strata(task: Task) -> list[str]:
    """The class of each row by name; one stratum where labels are no classes."""
    labels = task.stated_labels
    return [labels.names[code] for code in labels.codes] if isinstance(labels, Classes) else [""] * len(task)


def alike(task: Task) -> list[list[int]]:
    """Rows grouped with their near copies."""
    groups: dict[tuple[str, str | None], list[int]] = {}
    for row, plain in enumerate(plain_rows(task)):
        groups.setdefault(plain, []).append(row)
    return list(groups.values())


def plain_rows(task: Task) -> list[tuple[str, str | None]]:
    pairs = (None if pair is None else plain_letters(pair) for pair in task.inputs.pairs)
    return list(zip(map(plain_letters, task.inputs.texts), pairs, strict=True))
