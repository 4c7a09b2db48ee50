"""Long answers, worked out once however many ask: bytes, ready to send."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from fastapi import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping

    from fastapi import Request

_WORTH_ZIPPING = 1400
"""Bytes: what fits one packet anyway is sent as it is."""


@dataclass(frozen=True)
class Document:
    """An answer; ``zipped`` is the same in gzip where that is worth it, ``tag`` names this content."""

    body: bytes
    zipped: bytes | None
    tag: str

    @classmethod
    def of(cls, value: Any, *, tag: str | None = None) -> Document:
        """Plain values as JSON in ASCII, so that half a surrogate pair in somebody's text can be sent too."""
        return cls.of_bytes(json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii"), tag=tag)

    @classmethod
    def of_bytes(cls, body: bytes, *, tag: str | None = None) -> Document:
        """Bytes of any kind; what is packed already does not get smaller and goes out as it is."""
        zipped = gzip.compress(body, 5, mtime=0) if len(body) > _WORTH_ZIPPING else body
        return cls(body, zipped if len(zipped) < len(body) else None, tag or tag_of(body))

    @property
    def size(self) -> int:
        return len(self.body) + len(self.zipped or b"")


def tag_of(*parts: object) -> str:
    """An ETag, weak since the bytes on the way may be zipped or not."""
    said = b"\0".join(part if isinstance(part, bytes) else repr(part).encode() for part in parts)
    return f'W/"{hashlib.blake2b(said, digest_size=12).hexdigest()}"'


def knows(request: Request, tag: str) -> bool:
    """Whether the client says that it has this content already."""
    said = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
    return tag in said or tag.removeprefix("W/") in said or "*" in said


def not_modified(tag: str) -> Response:
    """The answer to a client that :func:`knows` it."""
    return Response(status_code=304, headers=_headers(tag))


def send(
    request: Request,
    document: Document,
    *,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The document, or 304 for a client that has it."""
    if knows(request, document.tag):
        return not_modified(document.tag)
    headers = _headers(document.tag) | dict(headers or {})
    if document.zipped is None or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(document.body, headers=headers, media_type=media_type)
    return Response(document.zipped, headers=headers | {"content-encoding": "gzip"}, media_type=media_type)


def _headers(tag: str) -> dict[str, str]:
    """Kept by whoever likes, but asked about each time."""
    return {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}


@final
class Shelf:
    """Documents by what they were worked out from, those not asked for longest let go of first.

    Of several that ask for one at once, the first has it worked out and the others wait for the same.
    """

    def __init__(self, size: int) -> None:
        self._room = size
        self._held: OrderedDict[Hashable, Document] = OrderedDict()
        self._underway: dict[Hashable, asyncio.Task[Document]] = {}

    async def get(self, key: Hashable, work_out: Callable[[], Awaitable[Document]]) -> Document:
        """``work_out`` goes on though whoever asked first has gone; what it raises, all who wait get."""
        held = self._held.get(key)
        if held is not None:
            self._held.move_to_end(key)
            return held
        task = self._underway.get(key)
        if task is None:
            task = self._underway[key] = asyncio.ensure_future(self._work_out(key, work_out))
            task.add_done_callback(_looked_at)
        return await asyncio.shield(task)

    @property
    def contents(self) -> Mapping[Hashable, Document]:
        """What is held, in the order in which it would go."""
        return self._held

    async def _work_out(self, key: Hashable, work_out: Callable[[], Awaitable[Document]]) -> Document:
        try:
            document = self._held[key] = await work_out()
        finally:
            del self._underway[key]
        self._room -= document.size
        while self._room < 0:
            self._room += self._held.popitem(last=False)[1].size
        return document


def _looked_at(task: asyncio.Task[Document]) -> None:
    """So that asyncio does not complain of a problem for which nobody waited to the end."""
    if not task.cancelled():
        task.exception()
