"""The application, put together."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from taskspace._version import __version__
from taskspace.errors import SettingError
from taskspace.serve.guard import Guard
from taskspace.serve.problems import handle_all
from taskspace.serve.routes import about, embedding, maps, page, tasks
from taskspace.serve.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from taskspace.atlas import Atlas
    from taskspace.serve.limits import Limits


def build(
    atlas: Atlas | str | Path,
    *,
    allow_embed: bool,
    token: str | None,
    limits: Limits,
    cors: tuple[str, ...],
    hosts: tuple[str, ...],
) -> FastAPI:
    """See :func:`taskspace.serve.create_app`."""
    if allow_embed and not token:
        raise SettingError("embedding for others needs a token; give one, or leave allow_embed out")
    service = Service(atlas, token=token if allow_embed else None, limits=limits)
    _ = service.library  # opened now, so that whoever starts a service of nothing is told at once

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        yield
        await service.close()

    app = FastAPI(
        title="taskspace", summary="A space of tasks: maps, neighbours, rankings.", version=__version__,
        redirect_slashes=False, docs_url=None, redoc_url=None,  # both load a viewer from elsewhere
        lifespan=lifespan, middleware=_middleware(cors, hosts), generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    app.state.service = service
    handle_all(app)
    for each in (about, maps, tasks, embedding, page):
        app.include_router(each.router)
    _without_422(app)
    return app


def _middleware(cors: tuple[str, ...], hosts: tuple[str, ...]) -> list[Middleware]:
    """The first is outermost."""
    shared = Middleware(
        CORSMiddleware,
        allow_origins=cors,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["ETag", "Retry-After"],
    )
    return [Middleware(Guard, hosts=hosts), *([shared] if cors else [])]


def _without_422(app: FastAPI) -> None:
    """What FastAPI would say of a parameter that is not right, this service says with 400."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
        return document

    app.openapi = openapi
