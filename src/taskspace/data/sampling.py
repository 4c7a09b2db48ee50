"""A seeded sample of a table that may be far larger than memory.

Two passes: the first counts rows per class, the second picks rows by their place within their class.
What is held is the sample, its places and at most ``limit`` class counts.  Only the seed, the order
of the rows and their labels decide, so every format gives the same sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from taskspace.labels import LabelKind, Numbers, RawLabel, parse_labels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from taskspace.data.rows import Example

_CHUNK = 1024
_UNLABELLED = ""


def sample(rows: Iterable[Example], limit: int, seed: int, kind: LabelKind | None) -> tuple[list[Example], LabelKind]:
    """``limit`` rows in their order, and the kind of labels that all rows together show.

    Classes keep their share of the rows, each at least one row.  Where there are more classes than
    ``limit``, and for numbers, target texts or no labels, every row has the same chance.
    """
    census = Census(limit, kind)
    for row in rows:
        census.add(row.label)
    counts = census.strata()
    chosen = {key: places(counts[key], n, f"{seed}/{key}") for key, n in quotas(counts, limit).items()}
    seen: dict[str, int] = {}
    picked: list[Example] = []
    for row in rows:
        key = census.key(row.label) if census.stratified else _UNLABELLED
        place = seen.get(key, 0)
        if place in chosen.get(key, ()):
            picked.append(row)
        seen[key] = place + 1
    return picked, census.kind


def quotas(counts: dict[str, int], limit: int) -> dict[str, int]:
    """Rows to take per class: proportional by largest remainder, at least one each; sums to ``limit`` or all rows.

    Needs ``limit`` to be at least the number of classes; rows without a label give way first.
    """
    if sum(counts.values()) <= limit:
        return dict(counts)
    rest = {key: n for key, n in sorted(counts.items()) if key != _UNLABELLED or len(counts) <= limit}
    quota: dict[str, int] = {}
    while True:
        left, total = limit - len(quota), sum(rest.values())
        small = [key for key, n in rest.items() if n * left < total]
        if not small:
            break
        for key in small:
            quota[key] = 1
            del rest[key]
    remainders = {key: n * left % total for key, n in rest.items()}
    quota |= {key: n * left // total for key, n in rest.items()}
    spare = limit - sum(quota.values())
    for key in sorted(rest, key=lambda k: -remainders[k])[:spare]:
        quota[key] += 1
    return quota


def places(n: int, size: int, seed: str) -> set[int]:
    """``size`` of the numbers below ``n``, each set equally likely, in memory of ``size`` (Floyd's method).

    Built on ``Random.random`` alone, whose stream Python keeps from version to version.
    """
    rng = Random(seed)
    drawn: set[int] = set()
    for top in range(n - size, n):
        place = int(rng.random() * (top + 1))
        drawn.add(top if place in drawn else place)
    return drawn


@dataclass
class Census:
    """Rows per class while there are at most ``limit`` classes, and the kind of the labels."""

    limit: int
    said: LabelKind | None = None
    total: int = 0
    stratified: bool = True
    _counts: dict[str, int] = field(default_factory=dict[str, int])
    _keys: dict[tuple[type, RawLabel], str] = field(default_factory=dict[tuple[type, RawLabel], str])
    _chunk: list[RawLabel] = field(default_factory=list[RawLabel])
    _words: bool = False
    _fractions: bool = False

    def __post_init__(self) -> None:
        self.stratified = self.said in (None, "classes")

    def add(self, label: RawLabel) -> None:
        self.total += 1
        if self.said is None and not self._words:
            self._chunk.append(label)
            if len(self._chunk) == _CHUNK:
                self._look()
        if self.stratified:
            key = self.key(label)
            self._counts[key] = self._counts.get(key, 0) + 1
            self.stratified = len(self._counts) - (_UNLABELLED in self._counts) <= self.limit

    def key(self, label: RawLabel) -> str:
        """The name of a row's class as :func:`parse_labels` gives it: ``1``, ``1.0`` and ``"1"`` are one."""
        raw = (type(label), label)
        if raw not in self._keys:
            if len(self._keys) > 4 * self.limit:
                self._keys.clear()
            self._keys[raw] = parse_labels([label], "classes").row_keys()[0]
        return self._keys[raw]

    @property
    def kind(self) -> LabelKind:
        """Said, or numbers if all labels are numbers and one has a fraction, else classes."""
        if self.said is not None:
            return self.said
        self._look()
        return "numbers" if self._fractions and not self._words else "classes"

    def strata(self) -> dict[str, int]:
        """Rows per class, or all rows as one stratum."""
        self.stratified = self.stratified and self.kind == "classes"
        return dict(self._counts) if self.stratified else {_UNLABELLED: self.total}

    def _look(self) -> None:
        """Ask :func:`parse_labels` about a chunk; with a fraction added, only words make it classes."""
        if not self._words and self._chunk:
            self._words = not isinstance(parse_labels([*self._chunk, 0.5]), Numbers)
            self._fractions = self._fractions or isinstance(parse_labels(self._chunk), Numbers)
        self._chunk.clear()
