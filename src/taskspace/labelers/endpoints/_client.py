"""One request at a time, told plainly: a sound JSON reply, a refusal, or an error after bounded tries."""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from threading import Event
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast, final

from taskspace._extras import require
from taskspace.errors import LabelerError

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    import httpx

    from taskspace.labelers.endpoints._budget import Budget
    from taskspace.labelers.endpoints._settings import Settings

Reply: TypeAlias = dict[str, Any]

_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_WISH = 0.5, 30.0, 60.0  # seconds; the last is what a server may ask for
_MOST_BYTES = 32 << 20
_MARKUP = 64  # tokens that a chat template may add to the bytes of a request
_AGAIN = frozenset({408, 409, 425, 429})
_NOT_ACCEPTED = frozenset({400, 405, 413, 415, 422, 501})
_ROW_CODES = frozenset(
    {"context_length_exceeded", "string_above_max_length", "content_filter", "content_policy_violation"}
)
_ROW_WORDS = re.compile(
    r"(context|prompt|input|model|sequence) (length|window|size)|maximum context|too long|too many tokens"
    r"|number of (input )?tokens|content[ _](filter|policy|management)|moderation",
    re.IGNORECASE,
)  # fmt: skip


@dataclass(frozen=True)
class Refusal:
    """The server answers, but not this request; ``of_row`` where the row's text is the reason."""

    status: int
    message: str
    of_row: bool


@dataclass(frozen=True)
class _Trouble:
    """What may be gone when tried again; ``free`` where it surely used no tokens."""

    what: str
    free: bool
    wish: float | None = None


@final
class Client:
    """An HTTP client for one run, shared by its threads; ``stop`` ends all trying again."""

    def __init__(self, settings: Settings, budget: Budget, transport: httpx.BaseTransport | None = None) -> None:
        self.settings, self._budget = settings, budget
        self.stop = Event()
        self._http = require("httpx", extra="http", why="asking an endpoint")
        key = settings.api_key
        self._client: httpx.Client = self._http.Client(
            headers={"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {}),
            timeout=self._http.Timeout(settings.timeout, pool=None),
            verify=_trusted(),
            transport=transport,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def post(self, path: str, body: dict[str, Any], *, tokens_out: int) -> Reply | Refusal:
        """What the server says to ``body``, whose reply has at most ``tokens_out`` tokens.

        Raises :class:`LabelerError` when the key, the address or the budget does not allow it, or when the
        last try failed too.  A reply is an object with a list of ``choices``; nothing else is checked.
        """
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        trouble = None
        tries = 0
        while trouble is None or (tries <= self.settings.retries and not self.stop.is_set()):
            if trouble is not None:
                pause(_delay(tries, trouble.wish), self.stop)
            outcome = self._tried(path, content, tokens_out, again=trouble is not None)
            if not isinstance(outcome, _Trouble):
                return outcome
            trouble, tries = outcome, tries + 1
        raise self._given_up(trouble, tries)

    def _tried(self, path: str, content: bytes, tokens_out: int, *, again: bool) -> Reply | Refusal | _Trouble:
        held = self._budget.hold(len(content) + _MARKUP, tokens_out, again=again)
        used: tuple[int, int] | None = None
        try:
            outcome = self._sent(path, content)
            if isinstance(outcome, dict):
                used = _metered(outcome.get("usage"))
            elif isinstance(outcome, Refusal) or outcome.free:
                used = (0, 0)
        finally:
            self._budget.settle(held, used)
        return outcome

    def _sent(self, path: str, content: bytes) -> Reply | Refusal | _Trouble:
        http, started = self._http, time.monotonic()
        got = b""
        try:
            with self._client.stream("POST", f"{self.settings.base_url}{path}", content=content) as response:
                for part in response.iter_bytes():
                    got += part
                    if len(got) > _MOST_BYTES:
                        return _Trouble(f"a reply of more than {_MOST_BYTES >> 20} MiB", free=False)
                    if time.monotonic() - started > self.settings.timeout:
                        return _Trouble(f"no whole reply in {self.settings.timeout:g} s", free=False)
        except (http.ConnectError, http.ConnectTimeout) as error:
            return _Trouble(f"no connection ({self._told(str(error))})", free=True)
        except http.TimeoutException:
            return _Trouble(f"no reply in {self.settings.timeout:g} s", free=False)
        except http.UnsupportedProtocol as error:
            raise LabelerError(f"{self.settings.base_url} cannot be reached ({error}); check the base URL") from None
        except (http.TransportError, http.DecodingError) as error:
            return _Trouble(f"a cut connection ({self._told(str(error) or type(error).__name__)})", free=False)
        return self._read(response, got)

    def _read(self, response: httpx.Response, got: bytes) -> Reply | Refusal | _Trouble:
        said, status = _parsed(got), response.status_code
        if status == 200:
            if isinstance(said, dict) and isinstance(said.get("choices"), list) and said["choices"]:
                return cast("Reply", said)
            if isinstance(said, dict) and "error" in said:
                return _Trouble(f"an error instead of a reply ({self._told(_message(said, got))})", free=True)
            return _Trouble("a reply that is no JSON object with choices", free=False)
        message, code = f"{status}: {self._told(_message(said, got))}", _code(said)
        if status in _NOT_ACCEPTED:
            of_row = status == 413 or code in _ROW_CODES or bool(_ROW_WORDS.search(message))
            return Refusal(status, message, of_row)
        if (status in _AGAIN or status >= 500) and code != "insufficient_quota":
            return _Trouble(message, free=True, wish=_wish(response.headers.get("retry-after")))
        raise self._hopeless(status, message)

    def _hopeless(self, status: int, message: str) -> LabelerError:
        if status == 401 or status == 403:
            key = "the API key" if self.settings.api_key else "a request without a key"
            return LabelerError(f"{self.settings.base_url} refuses {key} ({message}); check api_key or OPENAI_API_KEY")
        if status == 404:
            return LabelerError(
                f"{self.settings.base_url} does not find model {self.settings.model!r} or the address ({message});"
                " check both, most base URLs end in /v1"
            )
        return LabelerError(f"{self.settings.base_url} refuses the request ({message}); check the endpoint's settings")

    def _given_up(self, trouble: _Trouble, tries: int) -> LabelerError:
        times = "once" if tries == 1 else f"{tries} times in a row"
        return LabelerError(
            f"{self.settings.base_url} failed {times}, at last with {trouble.what}; try again later, or with a longer"
            " timeout or more retries"
        )

    def _told(self, message: str) -> str:
        """On one line, without the key, at most 200 characters, and without an end of sentence inside ours."""
        line = re.sub(r"[.!?;]+(\s|$)", r",\1", " ".join(self.settings.scrub(message).split())).rstrip(", ")
        return line if len(line) <= 200 else f"{line[:199]}…"


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates, read once: that takes longer than a call in the house."""
    return require("httpx", extra="http", why="asking an endpoint").create_ssl_context()


def pause(seconds: float, stop: Event) -> None:
    """Wait before another try, unless the run stops meanwhile."""
    stop.wait(seconds)


def _delay(tries: int, wish: float | None) -> float:
    """Doubling from half a second with full jitter; what the server asks for is heeded within a minute."""
    own = random.uniform(0.5, 1.0) * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (tries - 1))
    return own if wish is None else max(min(wish, _LONGEST_WISH), 0.0)


def _wish(header: str | None) -> float | None:
    """Seconds of a Retry-After header: a number, or a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header)) if float(header) < 1e9 else None
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (at - datetime.now(UTC)).total_seconds()) if at.tzinfo else None


def _parsed(got: bytes) -> Any:
    try:
        return json.loads(got)
    except (ValueError, RecursionError):
        return None


def _message(said: Any, got: bytes) -> str:
    """The server's own words, wherever it puts them."""
    error = said.get("error", said) if isinstance(said, dict) else None
    for key in ("message", "detail", "error"):
        if isinstance(error, dict) and error.get(key):
            return str(error[key])
    return str(error) if error else got[:400].decode("utf-8", "replace") or "no message"


def _code(said: Any) -> str:
    error = said.get("error") if isinstance(said, dict) else None
    return str(error.get("code") or error.get("type") or "") if isinstance(error, dict) else ""


def _metered(usage: Any) -> tuple[int, int] | None:
    """Tokens in and out as the server counts them, if it does so soundly."""
    if not isinstance(usage, dict):
        return None
    tokens_in, tokens_out = usage.get("prompt_tokens"), usage.get("completion_tokens") or 0
    return (tokens_in, tokens_out) if _is_count(tokens_in) and _is_count(tokens_out) else None


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40
