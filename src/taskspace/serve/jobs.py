"""Embedding as jobs: accepted at once, done one after the other, answered for a while."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from taskspace._plain import finite
from taskspace.embedding import TaskEmbedding
from taskspace.errors import TaskspaceError
from taskspace.serve.embedder import Embedder, NotEmbedded
from taskspace.serve.problems import Problem

if TYPE_CHECKING:
    from taskspace.serve.library import Library
    from taskspace.serve.limits import Limits

_LOG = logging.getLogger(__name__)

Status = Literal["queued", "running", "done", "failed"]


@dataclass(eq=False)
class Job:
    """Rows to embed in a space and to rank ``k`` candidates for; the rows are let go of once it has ended."""

    name: str
    space: str
    k: int
    body: bytes
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    status: Status = "queued"
    problem: str | None = None
    embedding: dict[str, Any] | None = None
    ranking: dict[str, Any] | None = None
    ended: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "job": self.id, "status": self.status, "problem": self.problem, "embedding": self.embedding,
            "ranking": self.ranking,
        }  # fmt: skip


@final
class Jobs:
    """A line of jobs and what became of them, in memory alone."""

    def __init__(self, library: Library, limits: Limits) -> None:
        self._library = library
        self._limits = limits
        self._line: asyncio.Queue[Job] = asyncio.Queue()
        self._known: OrderedDict[str, Job] = OrderedDict()
        self._runner: asyncio.Task[None] | None = None
        self.embedder = Embedder(str(library.atlas.path), limits)

    def require_room(self) -> None:
        """Raise a :class:`Problem` while the line is full."""
        open_jobs = sum(job.ended is None for job in self._known.values())
        if open_jobs >= self._limits.queue:
            sentence = f"{open_jobs} jobs are waiting; come again when some of them are done"
            raise Problem(503, "Busy", sentence, {"retry-after": "10"})

    def submit(self, job: Job) -> None:
        """Put it in line; raises a :class:`Problem` when that is full."""
        self.require_room()
        self._forget()
        self._known[job.id] = job
        self._line.put_nowait(job)
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())

    def get(self, key: str) -> Job:
        """The job of that name; raises a :class:`Problem` when it was never there or is forgotten."""
        self._forget()
        job = self._known.get(key)
        if job is None:
            raise Problem(404, "UnknownJob", "there is no such job, or it ended too long ago; send the rows again")
        return job

    async def close(self) -> None:
        """Leave what is underway, and end the process that embeds."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        await self.embedder.close()

    async def _run(self) -> None:
        while True:
            job = await self._line.get()
            job.status = "running"
            try:
                await self._do(job)
                job.status = "done"
            except NotEmbedded as error:
                job.problem = str(error)
            except TaskspaceError as error:
                job.problem = self._library.without_path(str(error))
            except Exception:
                job.problem = "the job met a fault of the service's own; its log says more"
                _LOG.exception("a job failed")
            finally:
                job.body, job.ended = b"", time.monotonic()
                job.status = "failed" if job.problem is not None else job.status

    async def _do(self, job: Job) -> None:
        made = await self.embedder.embed(job.space, job.name, job.body)
        job.ranking = await self._library.think(self._ranked, job, made)
        job.embedding = finite(made)

    def _ranked(self, job: Job, made: dict[str, Any]) -> dict[str, Any]:
        atlas = self._library.atlas
        blocks = tuple((str(name), int(size)) for name, size in made["blocks"])
        vector = np.array(made["vector"], dtype=np.float32)
        space = atlas.space_id(job.space)
        embedding = TaskEmbedding(job.name, "dataset", space, vector, blocks, made["content"], made["provenance"])
        return atlas.rank(embedding, k=job.k, space=job.space).to_dict()

    def _forget(self) -> None:
        """Jobs that ended too long ago, and of those that ended the first where they are too many."""
        ended = [job for job in self._known.values() if job.ended is not None]
        old = time.monotonic() - self._limits.kept_seconds
        for i, job in enumerate(ended):
            if len(ended) - i > self._limits.kept or (job.ended or 0.0) < old:
                del self._known[job.id]
