"""The Hub's own client, and what it raises as one sentence."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from taskspace._extras import require
from taskspace.errors import AtlasError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")

PAUSES = (1.0, 2.0, 4.0)
"""Seconds before a question is put again that the Hub could not answer; its client does so for files alone."""

_PATIENCE = 30.0
"""Seconds to wait for an answer about a repository."""

_WHY = "an atlas on the Hub"
_PASSING = (408, 429, 500, 502, 503, 504)


def hub_client() -> Any:
    """``huggingface_hub``, imported late: it takes a second."""
    return require("huggingface_hub", extra="hub", why=_WHY)


def hub_errors() -> Any:
    """What its client raises; ``HTTPError`` among them is the parent of whatever goes wrong on the way."""
    return require("huggingface_hub.errors", extra="hub", why=_WHY)


def named(repo: str) -> tuple[str, str | None]:
    """``owner/name`` and the revision of ``owner/name@revision``; raises :class:`SettingError` for anything else."""
    name, at, revision = repo.partition("@")
    errors = hub_errors()
    try:
        require("huggingface_hub.utils", extra="hub", why=_WHY).validate_repo_id(name)
    except errors.HFValidationError as error:
        raise SettingError(f"{name!r} is no name of a repository; give one such as someone/my-atlas") from error
    if "/" not in name or (at and not revision):
        raise SettingError(f"{repo!r} does not say whose repository of which name; give owner/name, or owner/name@tag")
    return name, revision or None


def patiently(ask: Callable[[], T]) -> T:
    """Put a question again while the Hub is busy; only for what may as well be asked twice."""
    for pause in PAUSES:
        try:
            return ask()
        except hub_errors().HfHubHTTPError as error:
            if _status(error) not in _PASSING:
                raise
            time.sleep(pause)
    return ask()


def info_of(api: Any, repo: str, revision: str | None) -> Any:
    """What the Hub tells of a data set repository: its commit, its files, who sees it."""
    return patiently(lambda: api.repo_info(repo, repo_type="dataset", revision=revision, timeout=_PATIENCE))


def unreachable(error: BaseException) -> bool:
    """Whether the Hub was not heard at all, or is ill; not when it refused something."""
    errors = hub_errors()
    if isinstance(error, errors.HfHubHTTPError):
        return _status(error) in _PASSING
    return isinstance(error, errors.HTTPError | errors.OfflineModeIsEnabled)


@contextmanager
def explained(repo: str, doing: str) -> Generator[None]:
    """What the client raises, as one sentence with a remedy; ``doing`` is "pushed" or "pulled"."""
    errors = hub_errors()
    try:
        yield
    except (errors.HTTPError, errors.EntryNotFoundError, OSError, ValueError, RuntimeError) as error:
        raise AtlasError(_sentence(error, repo, doing)) from error


def _sentence(error: BaseException, repo: str, doing: str) -> str:
    errors = hub_errors()
    chain = list(_causes(error))
    if any(isinstance(each, errors.OfflineModeIsEnabled) for each in chain):
        instead = "nothing of it is in the cache; unset it" if doing == "pulled" else "nothing can be pushed; unset it"
        return f"HF_HUB_OFFLINE is set and {instead}, or run this where there is a network"
    if "Invalid metadata in README.md" in str(error):
        said = str(error).partition("README.md.")[2].strip(" \n-")
        return f"the Hub does not take the head of the card ({said}); give a license that it knows, such as cc-by-4.0"
    refused = next((each for each in chain if isinstance(each, errors.HfHubHTTPError)), None)
    if refused is not None:
        return _refusal(refused, repo, doing)
    if any(isinstance(each, errors.HTTPError | errors.LocalEntryNotFoundError) for each in chain):
        return f"the Hub cannot be reached ({in_words(chain[-1])}); check the network, and HF_ENDPOINT if it is set"
    return f"{repo} cannot be {doing} ({in_words(error)}); run the same command again"


def _refusal(error: Any, repo: str, doing: str) -> str:
    errors, status = hub_errors(), _status(error)
    if isinstance(error, errors.GatedRepoError):
        return f"{repo} is gated; ask for access on its page, and log in with hf auth login or HF_TOKEN"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repo} has no such revision; name a branch, tag or commit that it has"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"there is no data set repository {repo}, or it is private and not shown to you; check the name, or log in"
            " with hf auth login or HF_TOKEN"
        )
    if status == 401:
        return "the Hub does not know the token it was given; log in with hf auth login, or set HF_TOKEN"
    if status == 403:
        return f"your token may not write to {repo}; use one that may, or name a repository of your own"
    if status in (409, 412):
        return f"{repo} was changed by somebody else meanwhile, and nothing was {doing}; run the same command again"
    if status in _PASSING:
        return f"the Hub is busy or ill (HTTP {status}), and {repo} was not {doing}; wait a while and run it again"
    return f"the Hub refused {repo} (HTTP {status}: {in_words(error)}); see what it says"


def _causes(error: BaseException) -> Generator[BaseException]:
    """The error and what led to it, nearest first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _status(error: Any) -> int:
    return int(error.response.status_code)


def in_words(error: BaseException) -> str:
    """Its first sentence, without addresses and numbers of requests."""
    text = re.sub(r"\(Request ID: [^)]*\)|\S*https?://\S+", "", " ".join(str(error).split()))
    return re.split(r"[.;] ", text.strip(" .:"))[0][:160] or type(error).__name__
