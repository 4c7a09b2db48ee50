"""Threads for long questions, which nobody waits for when the service ends."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_Call: TypeAlias = "tuple[Future[Any], Callable[[], Any]]"


@final
class Thinkers:
    """``count`` threads, made when first needed, that live until :meth:`close`.

    Python waits at its end for the threads of a ``ThreadPoolExecutor``, so that Ctrl-C would wait for a map of minutes.
    These end with the process, whatever they are at.
    """

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._begun = 0
        self._closed = False

    async def do(self, function: Callable[..., T], *arguments: Any) -> T:
        """The answer of ``function``, from one of the threads; raises what it raises."""
        if self._closed:
            raise RuntimeError("the service has ended")
        if self._begun < self._count:
            threading.Thread(target=self._answer, name=f"{self._name}-{self._begun}", daemon=True).start()
            self._begun += 1
        done: Future[T] = Future()
        self._calls.put((done, partial(function, *arguments)))
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Let go of what has not begun, and wait for nothing."""
        self._closed = True
        while not self._calls.empty():
            waiting = self._calls.get()
            if waiting is not None:
                waiting[0].cancel()
        for _ in range(self._begun):
            self._calls.put(None)

    def _answer(self) -> None:
        while (call := self._calls.get()) is not None:
            done, function = call
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(function())
            except BaseException as error:
                done.set_exception(error)
            del call, done, function  # an answer is not kept while waiting for the next question
