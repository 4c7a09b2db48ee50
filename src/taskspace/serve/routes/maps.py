"""``/v1/map`` and ``/v1/similarities``: worked out once per generation of a space."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from taskspace._version import __version__
from taskspace.serve import answers, models
from taskspace.serve.documents import knows, not_modified, send, tag_of
from taskspace.serve.params import SpaceName, TheLibrary, problems

router = APIRouter(tags=["maps"])

MOST_COMPARED = 500
"""Tasks in one table of similarities, which grows with their square."""

SEEDS = 10
"""Enough to see what chance does to a map; each is worked out anew for every state of a space."""

_LONG: tuple[str, ...] = ("mds", "umap")

Method = Annotated[Literal["pca", "mds", "umap"], Query(description="How the space is brought to two dimensions.")]
Seed = Annotated[int, Query(ge=0, lt=SEEDS, description="For methods that begin with chance.")]
Names = Annotated[
    list[Annotated[str, Query(min_length=1, max_length=1000)]] | None,
    Query(max_length=MOST_COMPARED, description="Names of tasks, each once; without, a sample of all."),
]


@router.get(
    "/v1/map", response_model=models.TaskMap, responses={304: {"description": "As before."}, **problems(404, 409)}
)
async def task_map(
    request: Request, library: TheLibrary, space: SpaceName = None, method: Method = "pca", seed: Seed = 0
) -> Response:
    """Every task of a space as a point in two dimensions.  Its ETag changes when the space does."""
    catalogue = await library.read(library.catalogues.of, space)
    key = ("map", catalogue.space, catalogue.matrix.generation, method, seed)
    tag = tag_of(__version__, *key)
    if knows(request, tag):
        return not_modified(tag)
    work_out = library.alone if method in _LONG else library.once
    return send(request, await work_out(key, answers.map_document, catalogue, method, seed, tag=tag))


@router.get("/v1/similarities", response_model=models.Similarities, responses=problems(404, 409))
async def similarities(
    request: Request,
    library: TheLibrary,
    space: SpaceName = None,
    name: Names = None,
    limit: Annotated[int, Query(ge=2, le=MOST_COMPARED, description="How many at most.")] = 200,
) -> Response:
    """Cosines among some tasks, in clustered order."""
    catalogue = await library.read(library.catalogues.of, space)
    names = None if name is None else tuple(dict.fromkeys(name))
    answers.require_all(catalogue, names or ())
    key = ("similarities", catalogue.space, catalogue.matrix.generation, names, limit)
    return send(request, await library.once(key, answers.similarities, catalogue, names, limit))
