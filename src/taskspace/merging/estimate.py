"""What a merge would read, write, hold in memory and take, before it is done."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from taskspace.merging.ahead import WORKERS, keep_memory, one_thread_each
from taskspace.merging.carriers import Carrier, Combined
from taskspace.merging.methods import Merged
from taskspace.merging.methods.cuts import PASSES
from taskspace.merging.methods.grafting import Graft
from taskspace.merging.methods.spectral import Iso, Tsv
from taskspace.merging.methods.trimmed import Magnitude, Ties
from taskspace.merging.result import Added
from taskspace.merging.window import STRETCH

if TYPE_CHECKING:
    from taskspace.merging._vector import TaskVector
    from taskspace.merging.checkpoint import Layout, Weights
    from taskspace.merging.numbers import Spec

_SHARE = 0.05
"""How much of all the work may be done to see how long it takes."""

_DECOMPOSED = 5
"""A decomposition of a square takes as long as so many rounds of products of squares of that side (4 to 8 with LAPACK,
from a side of 384 on), in ``iso`` and ``tsv`` alike."""

_PASSES: dict[type, int] = {Magnitude: PASSES, Ties: PASSES, Graft: PASSES, Tsv: 3, Iso: 2}
"""How often a method reads its inputs, where that is not once; the spectral ones take Gram matrices first."""


@dataclass(frozen=True)
class Estimate:
    """``read`` is what all ``passes`` ask of the files together, which a system that has memory left keeps from the
    first; ``memory`` is bytes of numbers held at once, beside Python; ``seconds`` go by two tensors that were merged,
    and leave out how slow the disk is.
    """

    tensors: int
    numbers: int
    passes: int
    read: int
    written: int
    memory: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def estimate(vector: TaskVector, base: Weights | None, layout: Layout) -> Estimate:
    """Of writing ``layout``; two tensors are merged to see what they take, and nothing is written."""
    mine, inputs = vector.layout, _inputs(vector.carrier)
    written = sum(spec.nbytes for spec in layout.values())
    under = sum(spec.nbytes for spec in mine.values()) if base is not None else 0
    seconds, memory = _tried(Added(replace(vector, carrier=_by_tensor(vector.carrier)), base, 1.0, layout), mine)
    return Estimate(
        tensors=len(layout),
        numbers=sum(spec.size for spec in mine.values()),
        passes=_passes(vector.carrier),
        read=written + (_passes(vector.carrier) * (inputs + 1) - 1) * under,
        written=written,
        memory=memory,
        seconds=seconds,
    )


def _inputs(carrier: Carrier) -> int:
    """How many models stand behind it."""
    if isinstance(carrier, Merged):
        return sum(_inputs(each) for each in carrier.inputs.carriers)
    if isinstance(carrier, Combined):
        return sum(_inputs(each) for _, each in carrier.terms)
    return 1


def _passes(carrier: Carrier) -> int:
    """How often what stands behind it is read, at most: matrices that lie on their side are held instead."""
    if isinstance(carrier, Merged):
        return _PASSES.get(type(carrier.method), 1) * max(map(_passes, carrier.inputs.carriers))
    return max((_passes(each) for _, each in carrier.terms), default=1) if isinstance(carrier, Combined) else 1


def _by_tensor(carrier: Carrier) -> Carrier:
    """Trimmed tensor by tensor, which takes as long as in one pass over all, and can be tried on one."""
    if isinstance(carrier, Combined):
        return replace(carrier, terms=tuple((weight, _by_tensor(each)) for weight, each in carrier.terms))
    if isinstance(carrier, Merged) and isinstance(carrier.method, (Magnitude, Ties)):
        return Merged(carrier.inputs, replace(carrier.method, trim="tensor"))
    if isinstance(carrier, Merged) and isinstance(carrier.method, Graft):
        return Merged(carrier.inputs, Magnitude(carrier.method.density))
    return carrier


def _tried(adding: Added, layout: Layout) -> tuple[float, int]:
    """Seconds and bytes, by the least tensor, for what each costs whatever its size, and one of a fair size."""
    carrier = adding.vector.carrier
    cost = {name: _cost(carrier, spec) for name, spec in layout.items() if spec.size}
    if not cost:
        return 0.0, 0
    keep_memory()  # its one large array, of which no page is touched, would be counted as held
    order = sorted(cost, key=cost.__getitem__)
    name = next(reversed([name for name in order if cost[name] <= _SHARE * sum(cost.values())]), order[0])
    with one_thread_each():
        each, fixed = _took(adding, order[0])
        took, held = _took(adding, name)
    rate = max(took - each, 0.0) / cost[name]
    grown = max(held - fixed, 0) / _at_once(carrier, layout[name].size)
    most = _at_once(carrier, max(spec.size for spec in layout.values()))
    return each * len(cost) + rate * sum(cost.values()), fixed + int(grown * most)


def _cost(carrier: Carrier, spec: Spec) -> float:
    """Numbers, times the smaller side where singular values are taken, with those of its square where that is what
    is decomposed.
    """
    if len(spec.shape) != 2:
        return spec.size
    least = min(spec.shape)
    if _squares(carrier):
        return least * (spec.size + _DECOMPOSED * least**2)
    return spec.size * (least if carrier.whole else 1)


def _squares(carrier: Carrier) -> bool:
    """Whether Gram matrices are decomposed."""
    if isinstance(carrier, Merged):
        return isinstance(carrier.method, (Iso, Tsv)) or any(map(_squares, carrier.inputs.carriers))
    return isinstance(carrier, Combined) and any(_squares(each) for _, each in carrier.terms)


def _at_once(carrier: Carrier, size: int) -> int:
    """Numbers of a tensor of that size that are in hand at once: a window being written, and those being worked on."""
    return size if carrier.whole else min(size, STRETCH * (WORKERS + 1))


def _took(adding: Added, name: str) -> tuple[float, int]:
    """Seconds for a tensor, and the most bytes that were held for it at once."""
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before, began = tracemalloc.get_traced_memory()[0], time.perf_counter()
    for _ in adding.stored(name):
        pass
    took, held = time.perf_counter() - began, tracemalloc.get_traced_memory()[1] - before
    if not tracing:
        tracemalloc.stop()
    return took, held
