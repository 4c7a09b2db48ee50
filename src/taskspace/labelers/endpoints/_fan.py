"""Rows asked side by side, and given back in batches as they are done."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

T = TypeVar("T")


def in_batches_as_done(
    ask: Callable[[int], T], count: int, *, workers: Callable[[], int], most: int, batch: int, stop: Event
) -> Iterator[dict[int, T]]:
    """What ``ask`` gives for rows 0 to ``count``, by row number; ``workers()`` at a time, at most ``most``.

    After a failure no further row is asked; those under way are given back before it is raised.
    ``stop`` is set then, and also when nobody wants to hear the rest.
    """
    rows = iter(range(count))
    under_way: dict[Future[T], int] = {}
    done: dict[int, T] = {}
    failure: Exception | None = None
    with ThreadPoolExecutor(min(most, max(count, 1)), thread_name_prefix="taskspace-endpoint") as pool:
        try:
            while True:
                while failure is None and len(under_way) < workers() and (row := next(rows, None)) is not None:
                    under_way[pool.submit(ask, row)] = row
                if not under_way:
                    break
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    row, error = under_way.pop(future), future.exception()
                    if error is None:
                        done[row] = future.result()
                    elif isinstance(error, Exception):
                        failure = failure or error
                        stop.set()
                    else:
                        raise error
                if len(done) >= batch:
                    yield done
                    done = {}
            if done:
                yield done
            if failure is not None:
                raise failure
        finally:
            stop.set()
