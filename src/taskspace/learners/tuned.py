"""``tuned``: a few parameters tuned on the frozen surrogate, read as the task's vector (TuPaTE).

After Zhou, Xu and McAuley 2022, *Efficiently Tuned Parameters are Task Embeddings*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from taskspace.errors import SettingError, did_you_mean
from taskspace.learners._bench import Bench
from taskspace.learners._carriers import CARRIERS, Carrier
from taskspace.learners._learner import Embed, Ground, require_at_least

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMS = ("sketch", "raw")


@dataclass(frozen=True)
class Tuned:
    """Tune ``carrier`` on a task, the surrogate frozen; the vector is tuned minus initial parameters, at unit length.

    Every task of a space starts from the same parameters, drawn by the space's seed, and from a head of zeros, which
    favours no class; the head is trained beside them and is no part of the vector.  Hard labels and soft answers have
    one loss (cross-entropy), numbers the squared error, and target texts, which need a surrogate that writes, its own.

    ``carrier``: ``"prompt"`` is ``length`` vectors in front of the text, ``"prefix"`` as many keys and values in every
    layer; both are averaged over their places.  ``"lora"`` is a product of ``rank`` beside queries and values, read as
    a random ``form="sketch"`` of ``sketch`` numbers per layer that no change of basis between the factors alters, or
    ``"raw"``.  ``"bitfit"`` is all biases.  ``difference=False`` reads the tuned parameters as they are.

    ``steps`` updates of ``batch`` texts each, of at most ``rows`` distinct ones, at a learning rate of ``rate``
    (``None``: the carrier's own).  ``at_once`` tasks share their batches; what comes out is the same to rounding.
    """

    needs_labels: ClassVar[bool] = True

    carrier: str
    length: int = 16
    rank: int = 8
    form: str = "sketch"
    sketch: int = 64
    difference: bool = True
    steps: int = 20
    batch: int = 8
    rate: float | None = None
    head_rate: float = 0.03
    rows: int = 256
    at_once: int = 8

    def __post_init__(self) -> None:
        if self.carrier not in CARRIERS:
            raise SettingError(f"there is no carrier {self.carrier!r}{did_you_mean(self.carrier, CARRIERS)}")
        if self.form not in _FORMS:
            raise SettingError(f"{self.name}'s form={self.form!r} is not known; say {' or '.join(_FORMS)}")
        if not isinstance(self.difference, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers need not be typed
            raise SettingError(f"difference={self.difference!r} is neither True nor False; say one")
        counts = ("length", "rank", "sketch", "steps", "batch", "at_once")
        require_at_least(1, **{name: getattr(self, name) for name in counts})
        require_at_least(2, rows=self.rows)
        for name in ("rate", "head_rate"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and 0 < value < np.inf):
                raise SettingError(f"{name}={value!r} is not a number above 0; give one")

    @property
    def name(self) -> str:
        return f"tuned:{self.carrier}"

    @property
    def settings(self) -> Mapping[str, Any]:
        """What counts for this carrier; ``at_once`` changes nothing but the time."""
        own = {name: getattr(self, name) for name in self.how.uses(self)}
        rates = {"rate": float(self.rate or self.how.rate), "head_rate": float(self.head_rate)}
        return {**own, "steps": self.steps, "batch": self.batch, **rates, "rows": self.rows}

    @property
    def how(self) -> Carrier:
        return CARRIERS[self.carrier]

    def bind(self, ground: Ground) -> Embed:
        return Bench(self, ground)
