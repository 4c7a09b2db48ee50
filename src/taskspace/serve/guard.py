"""What every request passes first and every answer last: the Host header, security headers, unread bodies."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, final

from starlette.datastructures import Headers, MutableHeaders

from taskspace.serve.headers import SECURITY
from taskspace.serve.problems import problem_response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN_HOSTS = ("localhost", "127.0.0.1", "::1")
EVERY_ADDRESS = {"0.0.0.0", "::"}


@final
class Guard:
    """Refuses requests for other hosts, which is how a foreign page would reach a service on this machine (DNS
    rebinding), and closes the connection of a client whose body was not read to its end.

    Where every address is listened at (0.0.0.0 or :: among ``hosts``) any address will do: only names can be pointed.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = {host.casefold() for host in (*OWN_HOSTS, *hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        body = _Body(receive, expected=_has_body(headers))

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    answer[name] = value
                if not body.complete and scope["http_version"].startswith("1"):
                    answer["connection"] = "close"
            await send(message)

        app = self._app if self._fits(headers.getlist("host")) else _REFUSAL
        await app(scope, body.receive, send_guarded)

    def _fits(self, given: list[str]) -> bool:
        if "*" in self._hosts:
            return True
        host = bare_host(given[0]) if len(given) == 1 else ""
        return host in self._hosts or (bool(self._hosts & EVERY_ADDRESS) and _is_address(host))


def bare_host(header: str) -> str:
    """The name or address in a Host header, without port and brackets."""
    host = header.strip().casefold()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


_REFUSAL = problem_response(
    400, "BadHost", "this service does not answer to that host name; start it with --allow-host to change that"
)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


@final
class _Body:
    """Watches whether the end of the body was read."""

    def __init__(self, receive: Receive, *, expected: bool) -> None:
        self._receive = receive
        self.complete = not expected

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self.complete = True
        return message
