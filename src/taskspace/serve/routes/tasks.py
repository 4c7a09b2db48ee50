"""``/v1/tasks``, ``/v1/task``, ``/v1/near``, ``/v1/rank``, ``/v1/compare`` and ``/v1/transfers``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from taskspace.serve import answers, models
from taskspace.serve.documents import send
from taskspace.serve.params import KindFilter, Limit, MaybeName, Name, Offset, SpaceName, TheLibrary, Top, problems

router = APIRouter(tags=["tasks"])

Part = Annotated[str | None, Query(min_length=1, max_length=1000, description="A part of the name, whatever its case.")]


@router.get("/v1/tasks", response_model=models.Tasks, responses=problems(404, 409))
async def tasks(
    request: Request,
    library: TheLibrary,
    space: SpaceName = None,
    kind: KindFilter = None,
    q: Part = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """What is stored, by name."""
    return send(request, await library.answer(answers.tasks, library, space, kind, q, limit, offset))


@router.get("/v1/task", response_model=models.Card, responses=problems(404, 409))
async def task(request: Request, library: TheLibrary, name: Name, space: SpaceName = None) -> Response:
    """All that is stored of a task besides its numbers."""
    return send(request, await library.answer(answers.card, library, name, space))


@router.get("/v1/near", response_model=models.Ranking, responses=problems(404, 409))
async def near(
    request: Request,
    library: TheLibrary,
    name: Name,
    space: SpaceName = None,
    k: Top = 10,
    kind: KindFilter = None,
) -> Response:
    """What stands nearest to a task, of any kind."""
    key = await library.read(answers.near_key, library, name, space, k, kind)
    return send(request, await library.once(key, answers.near, library, name, space, k, kind))


@router.get("/v1/rank", response_model=models.Ranking, responses=problems(404, 409))
async def rank(
    request: Request,
    library: TheLibrary,
    name: Name,
    space: SpaceName = None,
    k: Top = 10,
    kind: KindFilter = None,
) -> Response:
    """What to start from for a task, by predicted gain where enough transfers were measured."""
    key = await library.read(answers.rank_key, library, name, space, k, kind)
    return send(request, await library.once(key, answers.rank, library, name, space, k, kind))


@router.get("/v1/compare", response_model=models.Comparison, responses=problems(404, 409))
async def compare(
    request: Request, library: TheLibrary, first: Name, second: Name, space: SpaceName = None
) -> Response:
    """Two tasks of one space beside each other."""
    return send(request, await library.consider(answers.compare, library, first, second, space))


@router.get("/v1/transfers", response_model=models.Transfers, responses=problems())
async def transfers(
    request: Request,
    library: TheLibrary,
    source: MaybeName = None,
    target: MaybeName = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """Measured transfers, the mean over the runs of each source, target and metric."""
    return send(request, await library.answer(answers.transfers, library, source, target, limit, offset))
