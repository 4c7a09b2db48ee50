"""Work on several windows at once, with results in order: reading, casting and adding leave Python to other threads."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = min(os.cpu_count() or 1, 4)
"""More would wait for memory and disk, and each holds a window of every vector."""


def in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int = WORKERS) -> Iterator[Result]:
    """``map`` with at most ``workers`` items in hand; what one of them raises is raised in its turn."""
    rest = iter(items)
    first = list(islice(rest, 2))
    if workers < 2 or len(first) < 2:
        yield from (work(item) for item in (*first, *rest))
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Result]] = deque(pool.submit(work, item) for item in first)
        try:
            for item in rest:
                if len(waiting) >= workers:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(work, item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
