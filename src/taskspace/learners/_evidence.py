"""What a learner learns from: distinct texts in an order of their own, with weighted answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.labels import Answers, LabelKind
    from taskspace.task import Inputs


@dataclass(frozen=True, eq=False)
class Evidence:
    """Distinct answered inputs, sorted by content, with ``values`` float64[n, c] and ``weights`` float64[n] (sum 1).

    Rows that occur k times have weight k/N and the mean of their answers; rows without an answer are
    left out; classes stand in an order set by the answers themselves.  So neither the order of the rows,
    nor writing each of them twice, nor the numbering or names of the classes changes a number.
    """

    inputs: Inputs
    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    kind: LabelKind

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def varies(self) -> bool:
        """Whether the answers differ from text to text by more than rounding does."""
        spread = self.weights @ (self.values - self.weights @ self.values) ** 2
        return bool(spread.sum() > 1e-24 * (self.weights @ self.values**2).sum())


def gather(inputs: Inputs, answers: Answers) -> Evidence:
    """Merge equal inputs and drop unanswered ones."""
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
    return Evidence(inputs.take([order[i] for i in starts]), values, counts / counts.sum(), answers.kind)
