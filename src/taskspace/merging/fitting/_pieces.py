"""What a coefficient belongs to: a task, a share of the whole, a tensor of a task, or a singular direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from taskspace.errors import SettingError
from taskspace.merging._vector import TaskVector, joined_base, summed
from taskspace.merging.carriers import Arrays, Factors, Pair, combine
from taskspace.merging.carriers.scaled import Scaled
from taskspace.merging.checkpoint import InMemory
from taskspace.merging.methods import Inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


NEAR = 0.1
"""How far from 0, where it changes sides, the number of a direction begins."""


class Pieces(Protocol):
    """How numbers to learn become a sum of task vectors, and the vector that they come to."""

    def start(self, vectors: Sequence[TaskVector]) -> NDArray[np.float64]:
        """Where learning begins, float64[p]."""
        ...

    def coefficients(self, numbers: Any) -> Any:
        """What each piece is multiplied by, [q], by which it can be derived; a penalty counts these."""
        ...

    def tensor(self, torch: Any, name: str, deltas: Any, numbers: Any) -> Any:
        """The merged difference of one tensor, of ``deltas`` [T, …] and ``numbers`` [p], by which it can be derived."""
        ...

    def vector(self, vectors: Sequence[TaskVector], numbers: NDArray[np.float64]) -> TaskVector:
        """The task vector of these numbers."""
        ...


@dataclass(frozen=True)
class Tasks:
    """One coefficient for each vector (LoraHub, arXiv 2307.13269, section 3.2, over exact differences)."""

    names: tuple[str, ...]
    begin: float = 0.0

    def start(self, vectors: Sequence[TaskVector]) -> NDArray[np.float64]:
        return np.full(len(vectors), self.begin)

    def coefficients(self, numbers: Any) -> Any:
        return numbers

    def tensor(self, torch: Any, name: str, deltas: Any, numbers: Any) -> Any:
        return torch.tensordot(numbers.to(deltas.dtype), deltas, dims=1)

    def vector(self, vectors: Sequence[TaskVector], numbers: NDArray[np.float64]) -> TaskVector:
        return summed(vectors, [float(number) for number in numbers])


@dataclass(frozen=True)
class Shares:
    """Shares of the vectors, by softmax, times one size (Self-Positioning); begun at equal shares of size 1."""

    names: tuple[str, ...]

    def start(self, vectors: Sequence[TaskVector]) -> NDArray[np.float64]:
        return np.append(np.zeros(len(vectors)), 1.0)

    def coefficients(self, numbers: Any) -> Any:
        return numbers[-1] * numbers[:-1].softmax(0)

    def tensor(self, torch: Any, name: str, deltas: Any, numbers: Any) -> Any:
        return torch.tensordot(self.coefficients(numbers).to(deltas.dtype), deltas, dims=1)

    def vector(self, vectors: Sequence[TaskVector], numbers: NDArray[np.float64]) -> TaskVector:
        raised = np.exp(numbers[:-1] - numbers[:-1].max())
        return summed(vectors, [float(weight) for weight in numbers[-1] * raised / raised.sum()])


@dataclass(frozen=True)
class Tensors:
    """One coefficient for each tensor of each vector, from ``begin``.

    aTLAS (arXiv 2407.02880, equation 4) begins at 0; AdaMerging (arXiv 2310.02575) at 0.3, and holds what it learns
    within 0 and 1, which is not done here.
    """

    names: tuple[str, ...]
    begin: float = 0.0

    def start(self, vectors: Sequence[TaskVector]) -> NDArray[np.float64]:
        return np.full(len(vectors) * len(self.names), self.begin)

    def coefficients(self, numbers: Any) -> Any:
        return numbers

    def tensor(self, torch: Any, name: str, deltas: Any, numbers: Any) -> Any:
        row = numbers.reshape(len(self.names), -1)[self.names.index(name)]
        return torch.tensordot(row.to(deltas.dtype), deltas, dims=1)

    def vector(self, vectors: Sequence[TaskVector], numbers: NDArray[np.float64]) -> TaskVector:
        table = numbers.reshape(len(self.names), -1)
        scaled = [
            (1.0, Scaled(vector.carrier, dict(zip(self.names, map(float, table[:, t]), strict=True))))
            for t, vector in enumerate(vectors)
        ]
        told = {task: 1.0 for vector in vectors for task in vector.weights}
        return TaskVector(combine(scaled), told, joined_base(vectors))


@dataclass(frozen=True, eq=False)
class Directions:
    """Which singular directions of each matrix of each vector to keep (AdaRank, arXiv 2503.22178, section 4).

    A number above 0 keeps its direction.  While learning, the step is passed through as if it were the sigmoid.
    Begun with the ``kept_share`` of the largest directions in, all near enough to 0 to change sides in a few steps (the
    authors' 0.1); what is no matrix is summed.  ``scale`` is lambda, which the authors learn too.
    """

    names: tuple[str, ...]
    parts: Mapping[str, Sequence[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]]
    kept_share: float = 0.5
    scale: float = 1.0

    @classmethod
    def of(cls, vectors: Sequence[TaskVector], names: tuple[str, ...], **settings: float) -> Directions:
        """Decompose every matrix; they are all in memory then.  Raises :class:`SettingError` where there is none."""
        inputs = Inputs(tuple(v.carrier for v in vectors), (1.0,) * len(vectors))
        matrices = [name for name in names if len(inputs.layout[name].shape) == 2 and inputs.layout[name].size]
        if not matrices:
            raise SettingError("no vector changes a matrix, so there are no directions to choose; say task or tensor")
        parts = {name: [np.linalg.svd(d, full_matrices=False) for d in inputs.tensors(name)] for name in matrices}
        return cls(names, parts, **settings)

    def start(self, vectors: Sequence[TaskVector]) -> NDArray[np.float64]:
        ranks = [len(s) for parts in self.parts.values() for _, s, _ in parts]
        return np.concatenate([np.where(np.arange(r) < self.kept_share * r, NEAR, -NEAR) for r in ranks])

    def coefficients(self, numbers: Any) -> Any:
        return self.scale * _step(numbers)

    def tensor(self, torch: Any, name: str, deltas: Any, numbers: Any) -> Any:
        if name not in self.parts:
            return self.scale * deltas.sum(0)
        at, total = self._first(name), 0
        for u, s, vt in self.parts[name]:
            mask = _step(numbers[at : at + len(s)])
            u, s, vt = (torch.as_tensor(part, dtype=deltas.dtype) for part in (u, s, vt))
            total = total + (u * (s * mask.to(s.dtype))) @ vt
            at += len(s)
        return self.scale * total

    def vector(self, vectors: Sequence[TaskVector], numbers: NDArray[np.float64]) -> TaskVector:
        inputs = Inputs(tuple(v.carrier for v in vectors), (1.0,) * len(vectors))
        pairs = {name: self._pair(name, numbers) for name in self.parts}
        rest = {name: np.sum(inputs.tensors(name), axis=0) for name in self.names if name not in pairs}
        carrier = combine([(self.scale, Factors.of(pairs)), (self.scale, Arrays(InMemory(rest)))])
        return TaskVector(carrier, {task: 1.0 for v in vectors for task in v.weights}, joined_base(vectors))

    def _pair(self, name: str, numbers: NDArray[np.float64]) -> Pair:
        at, ups, downs = self._first(name), [], []
        for u, s, vt in self.parts[name]:
            keep = numbers[at : at + len(s)] > 0
            ups.append(u[:, keep] * s[keep])
            downs.append(vt[keep])
            at += len(s)
        up, down = np.concatenate(ups, axis=1), np.concatenate(downs)
        return Pair(up.astype(np.float32), down.astype(np.float32), (up.shape[0], down.shape[1]))

    def _first(self, name: str) -> int:
        """Where the numbers of a matrix begin."""
        at = 0
        for other, parts in self.parts.items():
            if other == name:
                return at
            at += sum(len(s) for _, s, _ in parts)
        raise KeyError(name)


def _step(numbers: Any) -> Any:
    """1 above 0 and else 0, derived as if it were the sigmoid."""
    soft = numbers.sigmoid()
    return (numbers > 0).to(soft.dtype) + (soft - soft.detach())


PIECES = ("task", "share", "tensor", "direction")
"""What a coefficient may belong to."""
