"""What a learner learns from: distinct texts in an order of their own, with weighted answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.labels import Answers, LabelKind
    from taskspace.task import Inputs


@dataclass(frozen=True, eq=False)
class Evidence:
    """Distinct answered inputs, sorted by content, with ``values`` float64[n, c] and ``weights`` float64[n] (sum 1).

    Rows that occur k times have weight k/N and the mean of their answers; rows without an answer are
    left out; classes stand in an order set by the answers themselves.  So neither the order of the rows,
    nor writing each of them twice, nor the numbering or names of the classes changes a number.

    Where the answers are target texts, ``values`` are their features, and ``targets`` holds for each input the texts
    themselves, sorted; else it is empty.
    """

    inputs: Inputs
    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    kind: LabelKind
    targets: tuple[tuple[str, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def varies(self) -> bool:
        """Whether the answers differ from text to text by more than rounding does."""
        spread = self.weights @ (self.values - self.weights @ self.values) ** 2
        return bool(spread.sum() > 1e-24 * (self.weights @ self.values**2).sum())

    def sample(self, rows: int, seed: int) -> Evidence:
        """At most ``rows`` of the inputs, drawn by ``seed``; classes that none of them has are forgotten."""
        if len(self) <= rows:
            return self
        keep = np.sort(np.random.default_rng(seed).permutation(len(self))[:rows])
        weights, values = self.weights[keep], self.values[keep]
        if self.kind == "classes":
            values = values[:, values.any(axis=0)]  # of thousands of classes, those that are left
        targets = tuple(self.targets[i] for i in keep) if self.targets else ()
        return Evidence(self.inputs.take(keep), values, weights / weights.sum(), self.kind, targets)


def gather(inputs: Inputs, answers: Answers, targets: Sequence[str | None] = ()) -> Evidence:
    """Merge equal inputs and drop unanswered ones; ``targets`` are the texts whose features the answers are."""
    known = np.flatnonzero(answers.known)
    digests = inputs.digests
    order = sorted(known.tolist(), key=digests.__getitem__)
    starts = [i for i, row in enumerate(order) if i == 0 or digests[row] != digests[order[i - 1]]]
    if not starts:
        empty = np.zeros(0)
        return Evidence(inputs.take([]), answers.values[:0], empty, answers.kind)
    counts = np.diff([*starts, len(order)])
    values = answers.values[order]
    if len(starts) < len(order):
        values = np.add.reduceat(values, starts, axis=0) / counts[:, None]
    if answers.kind == "classes":
        values = values[:, sorted(range(values.shape[1]), key=lambda c: values[:, c].tobytes())]
    said = [str(targets[row]) for row in order] if targets else []
    texts = tuple(tuple(sorted(said[i : i + n])) for i, n in zip(starts, counts, strict=True)) if targets else ()
    return Evidence(inputs.take([order[i] for i in starts]), values, counts / counts.sum(), answers.kind, texts)
