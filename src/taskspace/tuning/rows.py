"""Rows to tune on: texts with what should be answered, before and after they are cut into tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from taskspace.labels import LabelKind
    from taskspace.task import Inputs


@dataclass(frozen=True, eq=False)
class Examples:
    """n texts as the backbone reads them, and what is to be said of each.

    ``kind`` "classes": ``values`` float64[n, C] are probabilities of the ``answers`` (one-hot for hard labels);
    without ``answers`` there are no words for the classes, and a head must tell them apart.
    "numbers": ``values`` float64[n, c], for a head.  "targets": ``targets`` n texts to be written; ``answers``
    are then all that may be said, or empty for free text.
    """

    inputs: Inputs
    kind: LabelKind
    values: NDArray[np.float64]
    answers: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def outputs(self) -> int:
        """Classes or numbers per row."""
        return self.values.shape[1]

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """These rows only, in this order."""
        targets = tuple(self.targets[i] for i in rows) if self.targets else ()
        return Examples(self.inputs.take(rows), self.kind, self.values[rows], self.answers, targets)


@dataclass(frozen=True, eq=False)
class Row:
    """One example in tokens.

    ``ids`` the input with its special tokens and ``types`` its token types (empty where the backbone has none);
    ``target`` the tokens to be written, an end mark last (language models; empty for a head or for encoders);
    ``answers`` the tokens of each answer that may be said; ``words`` the same as text; ``values`` float64[C].
    """

    ids: tuple[int, ...]
    types: tuple[int, ...]
    kind: LabelKind
    values: NDArray[np.float64]
    words: tuple[str, ...] = ()
    answers: tuple[tuple[int, ...], ...] = ()
    target: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """What its loss is a sum over: target tokens, or one."""
        return max(1, len(self.target))

    @property
    def length(self) -> int:
        """Tokens it takes in a batch, the tuned ones aside."""
        return len(self.ids) + len(self.target)
