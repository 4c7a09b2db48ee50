"""How to tune: plain numbers that go into the provenance of whatever comes out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from taskspace.errors import SettingError
from taskspace.tuning._whole import require_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEAST = {"steps": 1, "batch": 1, "warmup": 0, "check": 1, "patience": 0, "max_length": 8, "seed": 0}
_SCHEDULES = ("linear", "cosine", "constant")


@dataclass(frozen=True)
class Recipe:
    """AdamW with warm-up, a schedule, a clipped gradient and an early stop, the same for every row of a bank.

    ``steps`` updates of ``batch`` examples each (fewer examples than that are all taken each time).
    ``rate`` is the learning rate at its height, after ``warmup`` steps (None: a tenth of all); it then falls to 0
    along ``schedule``.
    ``head_rate`` is the same for a trained head.  ``clip`` bounds the gradient's norm of each row (0: not at
    all).  Every ``check`` steps the validation loss is taken; after ``patience`` checks without a better one a
    row stops, and its best state is what stays (0: no early stop).  ``max_length`` tokens of the text are read.

    Defaults after Lester et al. 2021 and Task Prompt Vectors, shortened to what a classification task needs.
    """

    steps: int = 1000
    batch: int = 16
    rate: float = 0.3
    head_rate: float = 0.01
    warmup: int | None = None
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    decay: float = 1e-5
    clip: float = 1.0
    check: int = 50
    patience: int = 0
    max_length: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if name == "warmup" and value is None:
                continue
            require_whole(least, **{name: value})
            object.__setattr__(self, name, int(value))
        for name in ("rate", "head_rate", "decay", "clip"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < float("inf"):
                raise SettingError(f"{name}={value!r} is not a number of at least 0; give one")
            object.__setattr__(self, name, float(value))
        if self.warming >= self.steps:
            raise SettingError(
                f"warmup={self.warmup} leaves none of the {self.steps} steps for the full rate; give fewer, or None"
            )
        if self.schedule not in _SCHEDULES:
            raise SettingError(f"schedule {self.schedule!r} is not known; say one of {', '.join(_SCHEDULES)}")

    @property
    def warming(self) -> int:
        """Steps before the full rate."""
        return self.steps // 10 if self.warmup is None else self.warmup

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Recipe:
        return cls(**said)
