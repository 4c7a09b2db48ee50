"""What routes take, once for all of them: types that FastAPI fills, checks and tells of."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import Depends, Query, Request

from taskspace.serve import models
from taskspace.serve.library import Library
from taskspace.serve.service import Service

MOST = 1000
"""Hits, tasks or transfers in one answer."""

SpaceName = Annotated[
    str | None,
    Query(
        min_length=1, max_length=64,
        description="A space: its fingerprint, the start of it, or its learner; needed only where several fit.",
        examples=["response"],
    ),
]  # fmt: skip
Name = Annotated[str, Query(min_length=1, max_length=1000, description="The name of a task.", examples=["sst2"])]
MaybeName = Annotated[str | None, Query(min_length=1, max_length=1000, description="The name of a task.")]
KindFilter = Annotated[models.KindName | None, Query(description="Only this kind.")]
Top = Annotated[int, Query(ge=1, le=MOST, description="How many.")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000_000, description="How many to pass over.")]


async def _service(request: Request) -> Service:
    return cast("Service", request.app.state.service)


async def _library(request: Request) -> Library:
    return (await _service(request)).library


TheService = Annotated[Service, Depends(_service)]
TheLibrary = Annotated[Library, Depends(_library)]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route documents; any may be asked what it cannot read, or while the atlas is locked."""
    told = {
        400: "The request cannot be read.",
        401: "The token is missing or wrong.",
        403: "Embedding is not allowed here.",
        404: "There is no such name, space, job or file.",
        409: "Several spaces fit, so one must be named.",
        408: "The rows did not arrive in time.",
        413: "More was sent than may be.",
        429: "Too many jobs from this client; Retry-After says when to come again.",
        503: "The atlas cannot be read, or too much is waiting; Retry-After says when to come again.",
    }
    return {status: {"model": models.Error, "description": told[status]} for status in sorted({400, 503, *statuses})}
