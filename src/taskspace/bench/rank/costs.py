"""What an order costs beside the seconds that are measured: texts that go through a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from taskspace.ranking.signals import Signal


@dataclass(frozen=True)
class Cost:
    """Texts read by the base model or a source, where no features are kept: a forward pass each.

    ``per_target`` once for all candidates, ``per_candidate`` for each of them anew, and ``per_source`` when a source
    is taken in, whatever is asked later.  The learners that tune or differentiate need more than that per text.
    """

    per_target: float
    per_candidate: float
    per_source: float


def cost_of(
    signals: Iterable[Signal], *, target_rows: int, source_rows: int, run: float = 1.0, costly: Iterable[str] = ()
) -> Cost:
    """Of signals that share what they read; ``run`` is the share of the candidates that the ``costly`` are read of."""
    few = set(costly)
    each = [_alone(signal, target_rows, source_rows, run if signal.name in few else 1.0) for signal in signals]
    return Cost(*(max(values) for values in zip(*each, strict=True)))


def _alone(signal: Signal, target_rows: int, source_rows: int, run: float) -> tuple[float, float, float]:
    once = target_rows if signal.passes == "target once" else 0
    anew = {"target per source": target_rows, "both per source": target_rows + source_rows}.get(signal.passes, 0)
    kept = source_rows if "embeddings" in signal.needs or (once and "source texts" in signal.needs) else 0
    return once, anew * run, 2 * source_rows if "source map" in signal.needs else kept
