"""What a run has used, and a limit that cannot be overspent by calls that go out side by side."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from threading import Condition
from typing import TYPE_CHECKING, final

from taskspace.errors import LabelerError, SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SLACK = 1e-9  # of the budget: sums of floats


@dataclass(frozen=True)
class Usage:
    """Counts since the endpoint was opened.

    ``calls`` are requests sent, the ``retried`` among them.  ``tokens_in``, ``tokens_out`` and ``cost`` are
    the server's own counts; for ``unmetered`` calls, of which it told none, they are the upper bound that
    was set aside.  ``readings`` counts rows by how they were read (``echo``, ``top_logprobs``, ``text``),
    or that they were not: ``abstained`` (no label in the words) and ``refused`` (by the server).
    """

    calls: int = 0
    retried: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    unmetered: int = 0
    readings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """Set aside for one call: the most it can use."""

    tokens_in: int
    tokens_out: int
    cost: float


@final
class Budget:
    """Counts and limits shared by threads; prices are per million tokens, in the currency of ``cost``."""

    def __init__(self, calls: int | None, cost: float | None, price_in: float, price_out: float) -> None:
        _require_sound(calls, cost, price_in, price_out)
        self._most_calls, self._most_cost = calls, cost
        self._prices = price_in, price_out
        self._changed = Condition()
        self._held, self._in_flight = 0.0, 0
        self._calls = self._retried = self._tokens_in = self._tokens_out = self._unmetered = 0
        self._cost = 0.0
        self._readings: Counter[str] = Counter()

    @property
    def usage(self) -> Usage:
        with self._changed:
            return Usage(
                self._calls, self._retried, self._tokens_in, self._tokens_out, self._cost, self._unmetered,
                dict(sorted(self._readings.items())),
            )  # fmt: skip

    def hold(self, tokens_in: int, tokens_out: int, *, again: bool) -> Held:
        """Set aside the most that a call can use, waiting for others that might leave enough.

        Raises :class:`LabelerError` when it could overspend the budget.
        """
        held = Held(tokens_in, tokens_out, self._price(tokens_in, tokens_out))
        with self._changed:
            while self._in_flight and self._lacks(held.cost + self._held) and not self._lacks(held.cost):
                self._changed.wait()
            self._require_left(held)
            self._calls += 1
            self._retried += again
            self._held += held.cost
            self._in_flight += 1
        return held

    def settle(self, held: Held, used: tuple[int, int] | None) -> None:
        """Tell what the call used, tokens in and out; ``None`` where nobody knows."""
        tokens_in, tokens_out = used or (held.tokens_in, held.tokens_out)
        with self._changed:
            self._in_flight -= 1
            self._held = self._held - held.cost if self._in_flight else 0.0
            self._tokens_in += tokens_in
            self._tokens_out += tokens_out
            self._cost += self._price(tokens_in, tokens_out)
            self._unmetered += used is None
            self._changed.notify_all()

    def count(self, reading: str) -> None:
        with self._changed:
            self._readings[reading] += 1

    def _price(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self._prices[0] + tokens_out * self._prices[1]) / 1e6

    def _lacks(self, more: float) -> bool:
        return self._most_cost is not None and self._cost + more > self._most_cost * (1 + _SLACK)

    def _require_left(self, held: Held) -> None:
        if self._most_calls is not None and self._calls >= self._most_calls:
            raise LabelerError(f"the budget of {self._most_calls} calls is spent; raise budget_calls to go on")
        if self._lacks(held.cost):
            raise LabelerError(
                f"the next call could cost {held.cost:.4g}, and of the budget of {self._most_cost:.4g} there is"
                f" {max(0.0, (self._most_cost or 0.0) - self._cost):.4g} left; raise budget_cost to go on"
            )


def _require_sound(calls: int | None, cost: float | None, price_in: float, price_out: float) -> None:
    if calls is not None and not (type(calls) is int and calls >= 1):
        raise SettingError(f"budget_calls={calls!r} allows no call; give a whole number from 1 up")
    if not all(_is_amount(price) and price >= 0 for price in (price_in, price_out)):
        raise SettingError(f"prices {price_in!r} and {price_out!r} are not amounts; give what a million tokens cost")
    if cost is not None and not (_is_amount(cost) and cost > 0):
        raise SettingError(f"budget_cost={cost!r} is no amount above 0; mend it")
    if cost is not None and not (price_in or price_out):
        raise SettingError("budget_cost is given without prices, so nothing would cost; give price_in and price_out")


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
