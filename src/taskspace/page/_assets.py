"""The files of the front end, as they lie in the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def assets() -> Mapping[str, tuple[str, bytes]]:
    """Media type and bytes of each file by its path: ``index.html`` is the page, the rest belongs under ``static/``.

    The page asks for ``static/…`` and ``v1/…`` relative to itself, so it may be mounted anywhere, and works under
    the Content-Security-Policy ``default-src 'self'``.
    """
    found = sorted(_walk(files("taskspace.page") / "static"))
    return MappingProxyType({path: (MEDIA_TYPES[path[path.rindex(".") :]], content) for path, content in found})


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        elif item.name.endswith(tuple(MEDIA_TYPES)):
            yield f"{prefix}{item.name}", item.read_bytes()
