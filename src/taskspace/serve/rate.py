"""How often one client may ask."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW = 60.0
_MOST_CLIENTS = 10_000


@final
class Rate:
    """At most so many in any 60 seconds, counted for each client; the clients seen last are remembered."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = per_minute
        self._clock = clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, client: str) -> int:
        """0 where the client may go on, else the seconds after which it may."""
        now = self._clock()
        times = self._seen.setdefault(client, deque())
        self._seen.move_to_end(client)
        while len(self._seen) > _MOST_CLIENTS:
            self._seen.popitem(last=False)
        while times and times[0] <= now - _WINDOW:
            times.popleft()
        if len(times) >= self._most:
            return max(1, math.ceil(times[0] + _WINDOW - now))
        times.append(now)
        return 0
