"""The service's side of the process that embeds: started when first needed, ended when it takes too long."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, final

from taskspace.serve import frames

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from taskspace.serve.limits import Limits

_LOG = logging.getLogger(__name__)


class NotEmbedded(Exception):
    """Why nothing came of it, as a sentence for the client."""


def command(path: str) -> list[str]:
    """A fresh interpreter, so that nothing of the service (threads, connections, locks) comes along."""
    return [sys.executable, "-P", "-W", "ignore", "-m", "taskspace.serve.worker", path]


@final
class Embedder:
    """One process, one task at a time.

    It is ended with the service in any case: when the service dies, the process reads the end of its input.
    """

    def __init__(self, path: str, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._process is None else self._process.pid

    async def embed(self, space: str, name: str, body: bytes) -> dict[str, Any]:
        """The embedding as plain values; raises :class:`NotEmbedded`.

        The process starts and opens the space at its first task, which may take long and is timed apart.
        """
        message = {"space": space, "name": name, "limits": asdict(self._limits)}
        seconds = self._limits.opening_seconds
        opened = await self._ask(message | {"do": "open"}, b"", seconds, "opening the space")
        if "problem" in opened or "fault" in opened:
            _LOG.error("the space %s cannot be opened: %s", space[:12], opened.get("problem", "a fault, told above"))
            raise NotEmbedded(_CLOSED)
        seconds = self._limits.job_seconds
        answer = await self._ask(message | {"do": "embed"}, body, seconds, "embedding")
        if "embedding" not in answer:
            raise NotEmbedded(answer.get("problem", _FAULT))
        return answer["embedding"]

    async def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, message: dict[str, Any], body: bytes, seconds: float, what: str) -> dict[str, Any]:
        """One message and its answer; whatever goes wrong, no half-read process stays."""
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(message, body)
        except TimeoutError:
            await self.close()
            raise NotEmbedded(f"{what} took more than {seconds:g} seconds and was stopped; send fewer rows") from None
        except (OSError, EOFError, ValueError):
            await self.close()
            raise NotEmbedded(_DIED) from None
        except BaseException:
            await self.close()
            raise

    async def _exchange(self, message: dict[str, Any], body: bytes) -> dict[str, Any]:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(*command(self._path), stdin=PIPE, stdout=PIPE)
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        to.write(frames.packed(message, body))
        await to.drain()
        head, data = frames.sizes_of(await back.readexactly(frames.SIZES))
        return json.loads((await back.readexactly(head + data))[:head])


_DIED = "the process that embeds died on these rows; send them again, or fewer of them"
_FAULT = "embedding met a fault of the service's own; its log says more"
_CLOSED = "the space cannot be opened by this service; its log says more"
