"""``/`` and ``/static/…``: the page, from memory; what is asked for is looked up in a table and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from taskspace.serve.documents import send
from taskspace.serve.params import TheService  # noqa: TC001  # FastAPI reads it when the module is imported
from taskspace.serve.problems import Problem

if TYPE_CHECKING:
    from taskspace.serve.service import Service

router = APIRouter(include_in_schema=False)

INDEX = "index.html"


@router.get("/")
async def index(request: Request, service: TheService) -> Response:
    """The page."""
    return _file(request, service, INDEX)


@router.get("/static/{path:path}")
async def static(request: Request, service: TheService, path: str) -> Response:
    """A file of the page."""
    return _file(request, service, path)


def _file(request: Request, service: Service, path: str) -> Response:
    held = service.files.get(path)
    if held is None:
        raise Problem(404, "UnknownFile", "the page has no such file; start at /")
    media_type, document = held
    return send(request, document, media_type=media_type)
