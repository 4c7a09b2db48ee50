"""What FUTE's study compares, and under which settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from taskspace.errors import SettingError, did_you_mean
from taskspace.tuning.fine_tuning import FineTuning

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = ("pairings", "pools", "surrogates", "families", "tasks", "scale")
"""The study itself, then one part for each question that the paper leaves open."""

LEARNERS: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "fisher": {"rows": 64},
    "tuned:prefix": {},
    "tuned:prompt": {},
    "response": {},
    "text": {},
})  # fmt: skip
"""Each learner with what is set otherwise than by default: the Fisher of 64 texts costs a quarter of the usual 256."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sources are embedded from ``source_rows`` labelled rows, targets from the ``shots`` that a user would have.

    ``cross_domain`` names the targets whose subject no source has, as one knows beforehand, and ``graded`` the tasks
    whose classes are grades in their order, which the part ``tasks`` reads as numbers too.

    The pool has ``pool_size`` rows, ``pair_share`` of them pairs where a source reads pairs.  ``fitted_rows`` is how
    many rows the source models were tuned on; pairs of the pool are none of them.  A target's own model is tuned as
    ``on_target`` says, by default as the ground truth tunes it.

    ``sizes`` are those of the pools that are compared, ``domain_size`` that of a pool from one place, ``counts`` how
    many models are ranked in the part ``scale``, and ``t5_steps`` how long the T5 of ``surrogates`` learns.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    cross_domain: tuple[str, ...] = ()
    graded: tuple[str, ...] = ()
    parts: tuple[str, ...] = PARTS
    learners: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: LEARNERS)
    source_rows: int = 400
    fitted_rows: int = 1000
    shots: int = 128
    pool_size: int = 2000
    pair_share: float = 0.2
    sizes: tuple[int, ...] = (50, 200, 1000, 5000, 20_000)
    domain_size: int = 500
    counts: tuple[int, ...] = (10, 100, 1000)
    t5_steps: int = 300
    seed: int = 0
    on_target: FineTuning = FineTuning(epochs=4, rate=3e-4, head_rate=3e-3)

    def __post_init__(self) -> None:
        if not self.sources or not self.targets:
            raise SettingError("a study needs sources and targets; name at least one of each")
        for part in self.parts:
            if part not in PARTS:
                raise SettingError(f"there is no part {part!r}{did_you_mean(part, PARTS)}")
        for name in self.cross_domain:
            if name not in self.targets:
                raise SettingError(f"the cross-domain task {name!r} is no target{did_you_mean(name, self.targets)}")
        for name in ("source_rows", "fitted_rows", "shots", "pool_size", "domain_size"):
            if getattr(self, name) < 2:
                raise SettingError(f"{name}={getattr(self, name)} is too few; give at least 2")
        if not 0 <= self.pair_share < 1:
            raise SettingError(f"pair_share={self.pair_share} is no share below 1; give one such as 0.2")

    @property
    def names(self) -> tuple[str, ...]:
        """All tasks, each once."""
        return tuple(dict.fromkeys((*self.sources, *self.targets)))
