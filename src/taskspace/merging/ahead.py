"""Work on several windows at once, with results in order: reading, casting and adding leave Python to other threads."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = min(os.cpu_count() or 1, 4)
"""More would wait for memory and disk, and each holds a window of every vector."""


@cache
def keep_memory() -> None:
    """Let the C library keep what is freed for the next window, instead of giving it back and asking for it again.

    That took half of the time.  glibc holds back as much as the largest array that was let go so far, up to 32 MB, and
    twice that in all; others have their own way.
    """
    np.empty(31 << 20, dtype=np.uint8)


@contextmanager
def one_thread_each() -> Generator[None]:
    """Matrix products by the thread that asks for them: it is windows that are spread over the processors.

    Threads of BLAS beside ours wait for each other as soon as anything else runs on the machine, for many times the
    work; and so the bits do not depend on how many processors there are.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int = WORKERS) -> Iterator[Result]:
    """``map`` with at most ``workers`` items in hand; what one of them raises is raised in its turn."""
    keep_memory()
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
