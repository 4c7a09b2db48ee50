"""The atlas over HTTP: REST and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace._extras import require
from taskspace.serve.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fastapi import FastAPI

    from taskspace.atlas import Atlas

__all__ = ["Limits", "create_app"]


def create_app(
    atlas: Atlas | str | Path,
    *,
    allow_embed: bool = False,
    token: str | None = None,
    limits: Limits | None = None,
    cors: Sequence[str] = (),
    hosts: Sequence[str] = (),
) -> FastAPI:
    """An ASGI application that answers questions about one atlas and never writes to it.

    ``allow_embed`` lets whoever holds ``token`` have rows embedded, in a process of its own.  ``cors`` lists the
    origins whose pages may read the answers.  ``hosts`` lists names, beside those of this machine to itself, under
    which the service may be reached: a page elsewhere that points its own name here is refused ("*" allows any).

    An atlas given by its path is opened here and closed when the application ends.

    Raises :class:`AtlasError` when it cannot be opened, :class:`SettingError` for embedding without a token, and
    :class:`MissingExtra` without FastAPI.
    """
    require("fastapi", extra="serve", why="serving an atlas")
    from taskspace.serve.app import build

    return build(
        atlas, allow_embed=allow_embed, token=token, limits=limits or Limits(), cors=tuple(cors), hosts=tuple(hosts)
    )
