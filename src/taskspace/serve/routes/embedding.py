"""``POST /v1/embed`` and ``/v1/jobs/…``: for whoever has the token, where it is allowed at all."""

from __future__ import annotations

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from taskspace.serve import models
from taskspace.serve.documents import Document, send
from taskspace.serve.jobs import Job
from taskspace.serve.params import SpaceName, TheService, Top, problems
from taskspace.serve.posted import received, task_of
from taskspace.serve.problems import Problem
from taskspace.serve.service import Service

router = APIRouter(tags=["embedding"])

_bearer = HTTPBearer(auto_error=False, description="The token with which the service was started.")
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON lines: an object with a text (or two) and a label on each.",
        "content": {
            "application/jsonl": {
                "schema": {"type": "string"},
                "example": '{"text": "what a film", "label": "good"}\n{"text": "two dull hours", "label": "bad"}\n',
            }
        },
    }
}


async def _admitted(
    service: TheService, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Service:
    """The service, to whoever has its token."""
    if service.token is None:
        raise Problem(403, "NotAllowed", "embedding is not allowed here; start the service with --allow-embed")
    said = "" if given is None else given.credentials
    if not hmac.compare_digest(said.encode(), service.token.encode()):
        what = "wrong" if given else "missing"
        sentence = f"the token is {what}; send the service's own as Authorization: Bearer …"
        raise Problem(401, "BadToken", sentence, {"www-authenticate": "Bearer"})
    return service


ForThoseWithToken = Annotated[Service, Depends(_admitted)]
NewName = Annotated[str, Query(min_length=1, max_length=200, description="What to call the rows in the ranking.")]


@router.post(
    "/v1/embed",
    response_model=models.Accepted,
    status_code=202,
    responses=problems(401, 403, 404, 408, 409, 413, 429),
    openapi_extra=_BODY,
)
async def embed(
    request: Request,
    service: ForThoseWithToken,
    name: NewName = "posted",
    space: SpaceName = None,
    k: Top = 10,
) -> Response:
    """Have labelled rows embedded, and candidates ranked for them.  They are stored nowhere."""
    limits, library, jobs = service.limits, service.library, service.jobs
    wait = service.rate.take(request.client.host if request.client else "")
    if wait:
        sentence = f"{limits.jobs_per_minute} jobs a minute are the most; come again in {wait} s"
        raise Problem(429, "TooMany", sentence, {"retry-after": str(wait)})
    jobs.require_room()
    place = (await library.read(library.catalogues.of, space)).space
    body = await received(request, limits)
    await library.read(task_of, body, name, limits)
    job = Job(name, place, k, body)
    jobs.submit(job)
    accepted = {"job": job.id, "status": job.status, "at": f"/v1/jobs/{job.id}"}
    return Response(Document.of(accepted).body, 202, {"cache-control": "no-store"}, "application/json")


@router.get("/v1/jobs/{id}", response_model=models.Job, responses=problems(401, 403, 404))
async def job(
    request: Request,
    service: ForThoseWithToken,
    id: Annotated[str, Path(max_length=100, description="What the job was called when accepted.")],
) -> Response:
    """How a job stands; with its embedding and ranking once it is done."""
    document = await service.library.answer(service.jobs.get(id).to_dict)
    return send(request, document, headers={"cache-control": "no-store"})
