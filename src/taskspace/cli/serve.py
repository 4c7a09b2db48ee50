"""``taskspace serve``: the atlas over HTTP, for this machine alone unless told otherwise."""

from __future__ import annotations

import os
import secrets
import socket
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from taskspace._extras import require
from taskspace.cli import _options as o
from taskspace.errors import SettingError

_OWN = ("127.0.0.1", "localhost", "::1")
_ANY = ("0.0.0.0", "::", "")
_PARTING_SECONDS = 5
"""How long answers underway may take once the service is told to stop."""


def serve(
    atlas: o.AtlasPath = None,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen at; 0 for any that is free.")] = 8765,
    allow_embed: Annotated[
        bool, typer.Option("--allow-embed", help="Embed rows for whoever has the token (POST /v1/embed).")
    ] = False,
    token_file: Annotated[
        Path | None, typer.Option(help="A file that holds the token (default: $TASKSPACE_TOKEN, else one is made).")
    ] = None,
    cors: Annotated[
        list[str] | None, typer.Option(metavar="ORIGIN", help="An origin whose pages may read answers; repeatable.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name under which this is reached, as through a proxy; repeatable."),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: o.AsJson = False,
) -> None:
    """Serve the atlas: a page to look at it, and REST (/openapi.json tells all).

    Nothing is written to the atlas.  With --json, one document that says where the service is, once it is up.
    """
    from taskspace.serve import create_app

    uvicorn = require("uvicorn", extra="serve", why="serving an atlas")
    token = _token(token_file) if allow_embed else None
    app = create_app(
        o.atlas_path(atlas), allow_embed=allow_embed, token=token, cors=cors or (), hosts=_hosts(host, allow_host or [])
    )
    with _listening(host, port) as listener:  # from here on clients may come: they wait in line until it runs
        url = f"http://{_named(host)}:{listener.getsockname()[1]}"
        _tell(url, o.atlas_path(atlas), host, as_json=as_json)
        if open_page:
            webbrowser.open(url)
        # What is asked is not logged, and the address that a client says it has is not believed.
        config = uvicorn.Config(
            app, access_log=False, log_level="warning", server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=_PARTING_SECONDS,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listener])


def _tell(url: str, atlas: Path | str, host: str, *, as_json: bool) -> None:
    if host not in _OWN:
        o.say(f"anyone who can reach {host} can read this atlas; put a proxy with TLS and a login before it")
    if as_json:
        o.print_json({"url": url, "atlas": str(atlas)})
    else:
        o.say(f"{atlas} is at {url} (Ctrl-C stops)")


def _listening(host: str, port: int) -> socket.socket:
    """A socket at that address, or a sentence."""
    try:
        family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise SettingError(f"cannot listen at {host}:{port} ({why}); give another --host or --port") from error


def _token(file: Path | None) -> str:
    """The one in the file, else in the environment; where there is none a new one, told on stderr."""
    given, where = os.environ.get("TASKSPACE_TOKEN", ""), "TASKSPACE_TOKEN"
    if file is not None:
        where = f"the token file {file}"
        try:
            given = file.read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise SettingError(f"{where} cannot be read ({error}); check the path and its rights") from error
    elif not given:
        given = secrets.token_urlsafe(32)
        o.say(f"token for this run: {given}")
    given = given.strip()
    if not given.isascii() or len(given.split()) != 1:
        raise SettingError(f"{where} must hold one word of plain letters; put the token alone there")
    return given


def _hosts(host: str, named: list[str]) -> list[str]:
    """The names under which clients may ask; where every address is listened at, the machine's own is among them."""
    return [*named, host or "0.0.0.0", *([socket.gethostname()] if host in _ANY else [])]


def _named(host: str) -> str:
    return "127.0.0.1" if host in _ANY else f"[{host}]" if ":" in host else host
