"""The seam between a space and the ways to turn answered texts into a vector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from taskspace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from taskspace.learners._evidence import Evidence
    from taskspace.surrogates import Surrogate
    from taskspace.task import Pool


def require_at_least(least: int, **given: Any) -> None:
    """Raise :class:`SettingError` unless each setting is a whole number of at least ``least``."""
    for name, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise SettingError(f"{name}={value!r} is not a whole number of at least {least}; give one")


@dataclass(frozen=True)
class Ground:
    """What everything in a space shares: the surrogate, the pool and the seed.

    ``fitted`` is what a learner that :class:`FitsPool` has fitted to them elsewhere.
    """

    surrogate: Surrogate
    pool: Pool
    seed: int
    progress: bool = False
    fitted: Any = None


@dataclass(frozen=True, eq=False)
class Learned:
    """Named parts of a vector, and what there is to say about it (plain JSON values)."""

    blocks: Mapping[str, NDArray[np.float32]]
    report: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Embed(Protocol):
    """A learner at work in one space."""

    def __call__(self, evidence: Evidence) -> Learned: ...


@runtime_checkable
class EmbedsMany(Embed, Protocol):
    """One that learns several tasks in the same batches, each as if it were alone."""

    def many(self, evidences: Sequence[Evidence]) -> list[Learned]: ...


class Learner(Protocol):
    """A way to turn answered texts into a vector.

    ``settings`` are plain JSON values and part of the space's identity; ``needs_labels`` is False for a
    learner that looks at the texts alone.
    """

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    @property
    def needs_labels(self) -> bool: ...

    def bind(self, ground: Ground) -> Embed:
        """Do once what the whole space shares."""
        ...


@runtime_checkable
class LearnsMany(Learner, Protocol):
    """A learner whose ``bind`` gives one that :class:`EmbedsMany`, best ``at_once`` of them."""

    @property
    def at_once(self) -> int: ...


@runtime_checkable
class FitsPool(Learner, Protocol):
    """A learner that fits something to the pool before its first task.

    All vectors of a space have to stand on one such fit: where several processes embed, one of them fits and the
    others are given what came out, as :attr:`Ground.fitted`.
    """

    def fit(self, ground: Ground) -> Any:
        """A value that can be pickled."""
        ...
