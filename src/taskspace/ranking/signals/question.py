"""What is asked, and all that may be known of the target and of each source when it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from taskspace.errors import DataError
from taskspace.labels import Classes, Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.embedding import Blocks
    from taskspace.ranking.estimators import SpaceMap
    from taskspace.ranking.history import Transfers
    from taskspace.task import Inputs, Task


T = TypeVar("T")


class Model(Protocol):
    """A source that can be run on the target's texts."""

    def features(self, inputs: Inputs) -> NDArray[np.float32]:
        """float32[n, d]: what it makes of each text."""
        ...

    def probabilities(self, inputs: Inputs) -> NDArray[np.float64]:
        """float64[n, classes]: how it answers each, over its own classes."""
        ...


class Demonstrates(Protocol):
    """A language model that answers the target's rows after examples of a source (BenTo)."""

    def score(self, source: Task, target: Task) -> float:
        """How well, above what it does without any example; higher is better."""
        ...


@dataclass(frozen=True, eq=False)
class Corpus:
    """A task's rows, and ``encode``: their features on the base model, float32[n, d], computed when first needed."""

    task: Task
    encode: Callable[[], NDArray[np.float32]] | None = None

    @cached_property
    def features(self) -> NDArray[np.float32]:
        if self.encode is None:
            raise DataError(f"there are no base features of {self.task.name!r}; give its corpus an encode=")
        return self.encode()

    @cached_property
    def labels(self) -> NDArray[np.int64] | NDArray[np.float64]:
        """Class codes int64[n], or numbers float64[n]; raises :class:`DataError` where there are neither."""
        stated = self.task.stated_labels
        if isinstance(stated, Classes):
            return stated.codes
        if isinstance(stated, Numbers):
            return stated.values
        raise DataError(f"task {self.task.name!r} has no classes and no numbers; this signal needs the target's labels")

    @cached_property
    def texts(self) -> list[str]:
        """One text per row, both of a pair."""
        inputs = self.task.inputs
        rows = zip(inputs.texts, inputs.pairs, strict=True)
        return [text if pair is None else f"{text} {pair}" for text, pair in rows]


@dataclass(frozen=True, eq=False)
class Source:
    """A candidate to start from, and whatever there is of it: its rows, their number, its model, its map (ESM)."""

    name: str
    corpus: Corpus | None = None
    rows: int | None = None
    model: Model | None = None
    space_map: SpaceMap | None = None


@dataclass(frozen=True, eq=False)
class Vectors:
    """One learner's vectors: ``target`` float32[d], ``sources`` float32[n, d], in the order of the question.

    A vector that says nothing is NaN: a row of that source, and ``target`` itself, which leaves out every signal that
    reads these vectors.  ``pivots`` float32[p, d] are those of the tasks that
    transfers were measured on, in the order of the transfers' targets, NaN where there is none.  ``centre`` float64[d]
    is what centred signals take off; the mean of ``sources`` unless it is given.
    """

    target: NDArray[np.float32]
    sources: NDArray[np.float32]
    blocks: Blocks
    pivots: NDArray[np.float32] | None = None
    centre: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """Which of ``sources`` helps the target named ``target`` most?

    ``vectors`` are by learner; ``transfers`` what was measured before, to other targets: the target's own column must
    not be in it.
    """

    target: str
    sources: tuple[Source, ...]
    corpus: Corpus | None = None
    vectors: Mapping[str, Vectors] = field(default_factory=dict[str, Vectors])
    transfers: Transfers | None = None
    demonstrates: Demonstrates | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.sources:
            raise DataError(f"there is no source to rank for {self.target!r}; give at least one")
        twice = [name for name, times in Counter(self.names).items() if times > 1]
        if twice:
            raise DataError(f"the source {twice[0]!r} comes more than once; name each source once")
        for learner, vectors in self.vectors.items():
            if len(vectors.sources) != len(self.sources):
                raise DataError(
                    f"{len(vectors.sources)} {learner} vectors do not fit {len(self.sources)} sources; give one each"
                )
        if self.transfers is not None and self.target in self.transfers.targets:
            raise DataError(f"the transfers hold {self.target!r} itself; leave it out with without_target()")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(source.name for source in self.sources)

    def only(self, rows: Sequence[int]) -> Question:
        """The question with these sources, by their places."""
        vectors = {name: replace(v, sources=v.sources[list(rows)]) for name, v in self.vectors.items()}
        return replace(self, sources=tuple(self.sources[row] for row in rows), vectors=vectors)

    @cached_property
    def measured(self) -> Transfers:
        """The transfers with these sources in this order; :class:`DataError` where nothing was measured."""
        return _lined_up(stated(self.transfers, "transfers that were measured to other targets"), self.names)

    def __len__(self) -> int:
        return len(self.sources)


def stated(value: T | None, what: str) -> T:
    """The value, or a :class:`DataError` that says what the signal lacks."""
    if value is None:
        raise DataError(f"this signal needs {what}; give them, or leave the signal out")
    return value


def _lined_up(transfers: Transfers, names: Sequence[str]) -> Transfers:
    """The table with a row for each of these sources, NaN for those never measured."""
    there = {name: row for row, name in enumerate(transfers.sources)}
    scores = np.full((len(names), *transfers.scores.shape[1:]), np.nan)
    for row, name in enumerate(names):
        if name in there:
            scores[row] = transfers.scores[there[name]]
    return replace(transfers, sources=tuple(names), scores=scores)
