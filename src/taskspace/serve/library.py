"""What the routes share: the atlas, the threads that read it, and what has been worked out of it."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar, final

from taskspace.serve.catalogue import Catalogues
from taskspace.serve.documents import Document, Shelf
from taskspace.serve.problems import Problem
from taskspace.serve.threads import Thinkers

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from taskspace.atlas import Atlas
    from taskspace.serve.limits import Limits

T = TypeVar("T")

_THREADS = max(2, min(8, os.cpu_count() or 2))
"""Of either kind: what they do is mostly Python's own, of which one thread runs at a time."""


@final
class Library:
    """An atlas read by a few threads that live as long as the service, since each keeps a connection of its own.

    What takes long (maps, neighbours, rankings) has threads of its own, so that what is quick never waits for it; what
    takes minutes has one alone.
    """

    def __init__(self, atlas: Atlas, limits: Limits) -> None:
        self.atlas = atlas
        self.name = PurePath(atlas.path).name
        self.catalogues = Catalogues(atlas)
        self._shelf = Shelf(limits.remembered)
        self._pulse = ThreadPoolExecutor(1, "pulse")
        self._readers = ThreadPoolExecutor(_THREADS, "reader")
        self._thinkers = Thinkers(_THREADS, "thinker")
        self._thinking = 0
        self._loner = Thinkers(1, "loner")
        self._alone = asyncio.Lock()
        self._most = limits.computing

    async def read(self, function: Callable[..., T], *arguments: Any) -> T:
        """A quick question, in a thread that may use the atlas."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, partial(function, *arguments))

    async def answer(self, function: Callable[..., Any], *arguments: Any) -> Document:
        """A quick question whose answer is a document."""
        return await self.read(lambda: Document.of(function(*arguments)))

    async def pulse(self, function: Callable[..., Any], *arguments: Any) -> Document:
        """As :meth:`answer`, for what must be known while all readers wait for a space that has changed."""
        return await asyncio.get_running_loop().run_in_executor(self._pulse, lambda: Document.of(function(*arguments)))

    async def once(
        self, key: Hashable, function: Callable[..., Any], *arguments: Any, tag: str | None = None
    ) -> Document:
        """A long question, worked out once for all who ask while ``key`` stays the same."""
        return await self._shelf.get(key, partial(self.consider, function, *arguments, tag=tag))

    async def consider(self, function: Callable[..., Any], *arguments: Any, tag: str | None = None) -> Document:
        """A long question; raises a :class:`Problem` where too many wait for an answer."""
        if self._thinking >= self._most:
            sentence = f"{self._thinking} answers are being worked out; ask again soon"
            raise Problem(503, "Busy", sentence, {"retry-after": "5"})
        self._thinking += 1
        try:
            return await self.think(lambda: Document.of(function(*arguments), tag=tag))
        finally:
            self._thinking -= 1

    async def alone(
        self, key: Hashable, function: Callable[..., Any], *arguments: Any, tag: str | None = None
    ) -> Document:
        """As :meth:`once`, for a question of minutes: raises a :class:`Problem` while another such is worked out."""
        return await self._shelf.get(key, partial(self._brood, function, *arguments, tag=tag))

    async def _brood(self, function: Callable[..., Any], *arguments: Any, tag: str | None) -> Document:
        if self._alone.locked():
            sentence = "another map of this kind is being worked out, which may take minutes; ask again then"
            raise Problem(503, "Busy", sentence, {"retry-after": "30"})
        async with self._alone:
            return await self._loner.do(lambda: Document.of(function(*arguments), tag=tag))

    async def think(self, function: Callable[..., T], *arguments: Any) -> T:
        """A long question of the service's own, in a thread that may use the atlas."""
        return await self._thinkers.do(function, *arguments)

    def without_path(self, sentence: str) -> str:
        """The library's own sentence, in which the atlas goes by its name."""
        return sentence.replace(str(self.atlas.path), self.name)

    def close(self) -> None:
        """Wait for nothing that has not begun."""
        for threads in (self._pulse, self._readers):
            threads.shutdown(wait=True, cancel_futures=True)
        for thinkers in (self._thinkers, self._loner):
            thinkers.close()
