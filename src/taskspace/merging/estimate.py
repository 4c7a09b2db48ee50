"""What a merge would read, write, hold in memory and take, before it is done."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from taskspace.merging.ahead import WORKERS
from taskspace.merging.carriers import Carrier, Combined
from taskspace.merging.methods import Merged
from taskspace.merging.window import STRETCH, Window, windows

if TYPE_CHECKING:
    from taskspace.merging._vector import TaskVector
    from taskspace.merging.checkpoint import Layout, Weights
    from taskspace.merging.numbers import Spec

_SINGLE = 4
"""Bytes of a number at work."""


@dataclass(frozen=True)
class Estimate:
    """``memory`` is bytes of numbers at work at once, beside Python; ``seconds`` go by one tensor that was tried."""

    tensors: int
    numbers: int
    read: int
    written: int
    memory: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def estimate(vector: TaskVector, base: Weights | None, layout: Layout) -> Estimate:
    """Of writing ``layout``; one tensor is merged to see how long it takes, and nothing is written."""
    mine, inputs = vector.layout, _inputs(vector.carrier)
    written = sum(spec.nbytes for spec in layout.values())
    under = sum(spec.nbytes for spec in mine.values()) if base is not None else 0
    cost = {name: _cost(vector.carrier, spec) for name, spec in mine.items()}
    return Estimate(
        tensors=len(layout),
        numbers=sum(spec.size for spec in mine.values()),
        read=written + inputs * under,
        written=written,
        memory=_memory(vector.carrier, mine, inputs),
        seconds=_tried(vector.carrier, mine, cost),
    )


def _inputs(carrier: Carrier) -> int:
    """How many models stand behind it."""
    if isinstance(carrier, Merged):
        return sum(_inputs(each) for each in carrier.inputs.carriers)
    if isinstance(carrier, Combined):
        return sum(_inputs(each) for _, each in carrier.terms)
    return 1


def _cost(carrier: Carrier, spec: Spec) -> float:
    """Numbers, times the smaller side where singular values are taken."""
    return spec.size * (min(spec.shape) if carrier.whole and len(spec.shape) == 2 else 1)


def _memory(carrier: Carrier, layout: Layout, inputs: int) -> int:
    """Each input, the base, the result and what is between them, for every window at work."""
    largest = max((spec.size for spec in layout.values()), default=0)
    held = largest if carrier.whole else min(largest, STRETCH) * WORKERS
    return _SINGLE * held * (2 * inputs + 4)


def _tried(carrier: Carrier, layout: Layout, cost: dict[str, float]) -> float:
    """Seconds by the tensor of middling cost, of which one window is enough where windows do."""
    known = sorted((name for name, spec in layout.items() if spec.size), key=cost.__getitem__)
    if not known:
        return 0.0
    name = known[len(known) // 2]
    spec = layout[name]
    window = Window(name, 0, spec.size) if carrier.whole else next(windows(name, spec))
    began = time.perf_counter()
    carrier.block(window)
    took = time.perf_counter() - began
    share = (window.stop - window.start) / spec.size
    return took / (cost[name] * share) * sum(cost.values()) / (1 if carrier.whole else WORKERS)
