"""``/v1/health`` and ``/v1/spaces``."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from taskspace.serve import answers, models
from taskspace.serve.documents import send
from taskspace.serve.params import TheLibrary, problems

router = APIRouter(tags=["about"])


@router.get("/v1/health", response_model=models.Health, responses=problems())
async def health(request: Request, library: TheLibrary) -> Response:
    """Whether the service is up, and in which state each space is."""
    return send(request, await library.pulse(answers.health, library))


@router.get("/v1/spaces", response_model=models.Spaces, responses=problems())
async def spaces(request: Request, library: TheLibrary) -> Response:
    """The spaces of the atlas."""
    return send(request, await library.answer(answers.spaces, library))
