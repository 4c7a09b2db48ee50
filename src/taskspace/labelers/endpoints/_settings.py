"""How an endpoint is reached and read; the key is held here and shown nowhere."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from taskspace.errors import SettingError, did_you_mean

Scoring: TypeAlias = Literal["auto", "echo", "top_logprobs", "text"]

_SCORINGS = ("auto", "echo", "top_logprobs", "text")
_RULES = 2  # of reading replies: to be raised whenever the same reply would make another reading


@dataclass(frozen=True)
class Settings:
    """Checked settings; see :func:`taskspace.labelers.endpoints.open_endpoint` for what each means."""

    base_url: str
    model: str
    api_key: str | None = field(repr=False)
    scoring: Scoring
    concurrency: int
    timeout: float
    retries: int
    max_tokens: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", normal_url(self.base_url))
        object.__setattr__(self, "api_key", _checked_key(self.api_key))
        if not isinstance(self.model, str) or not self.model.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"the endpoint's model is {self.model!r}; give it as the server calls it")
        if self.scoring not in _SCORINGS:
            raise SettingError(f"there is no scoring {self.scoring!r}{did_you_mean(str(self.scoring), _SCORINGS)}")
        if not (isinstance(self.timeout, int | float) and math.isfinite(self.timeout) and self.timeout > 0):  # pyright: ignore[reportUnnecessaryIsInstance]  # a file may say anything
            raise SettingError(f"timeout={self.timeout!r} is no number of seconds; give one above 0")
        _require_whole({"concurrency": self.concurrency, "max_tokens": self.max_tokens}, least=1)
        _require_whole({"retries": self.retries}, least=0)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of server, model and rules of reading: neither key nor pace nor price counts."""
        decides = [_RULES, self.base_url, self.model, self.scoring, self.max_tokens]
        return hashlib.sha256(f"endpoint {json.dumps(decides)}".encode()).hexdigest()

    def scrub(self, text: str) -> str:
        """Some servers repeat the key in their messages."""
        return text.replace(self.api_key, "***") if self.api_key and len(self.api_key) >= 8 else text


def url_and_key(base_url: str | None, api_key: str | None) -> tuple[str, str | None]:
    """What is given, else ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY``."""
    url = base_url or os.environ.get("OPENAI_BASE_URL")
    if not url:
        raise SettingError("no base URL is given and OPENAI_BASE_URL is not set; say where the endpoint is")
    return url, os.environ.get("OPENAI_API_KEY") if api_key is None else api_key


def normal_url(url: str) -> str:
    """One spelling per server.

    Raises :class:`SettingError` for anything but a plain http(s) address; a password or a query may hold
    a secret, which would then stand in provenance.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host:
        raise SettingError("the base URL is no http(s) address; give one such as http://localhost:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingError(f"the base URL of {host} holds a password or a query; leave it out, the key is api_key")
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f"{host}:{port}"
    path = re.sub(r"(/chat)?/completions$", "", parts.path.rstrip("/"))
    return f"{parts.scheme}://{place}{path}"


def _checked_key(key: str | None) -> str | None:
    if key is not None and not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"the API key is a {type(key).__name__}; give it as a text, in quotes")
    key = (key or "").strip()
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise SettingError("the API key holds spaces or signs that no key has; copy it again")
    return key or None


def _require_whole(values: dict[str, int], *, least: int) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"{name}={value!r} is not a whole number from {least} up; mend it")
