"""What is in a repository before something is pushed there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.errors import AtlasError
from taskspace.hub._client import hub_client, hub_errors, info_of
from taskspace.hub._manifest import CARD, SPACES
from taskspace.hub._manifest_reading import read_manifest, require_readable

if TYPE_CHECKING:
    from collections.abc import Iterable

_EVERYWHERE = {".gitattributes"}
"""Files of a repository that nothing was put into."""


@dataclass(frozen=True)
class Remote:
    """A repository that an atlas may be pushed to: its newest commit, our files in it, and the license it states."""

    commit: str
    private: bool
    ours: frozenset[str]
    license: str | None
    has_revision: bool


def look(api: Any, repo: str, revision: str | None) -> Remote | None:
    """The repository at a branch, or at its main one where that branch is not there yet; ``None`` without a repository.

    Raises :class:`AtlasError` when it holds something that is no atlas, or one of a newer format.
    """
    errors = hub_errors()
    try:
        info = info_of(api, repo, revision)
    except errors.RevisionNotFoundError:
        info, found = info_of(api, repo, None), False
    except errors.GatedRepoError:
        raise
    except errors.RepositoryNotFoundError:
        return None
    else:
        found = True
    files = {sibling.rfilename for sibling in info.siblings or ()}
    texts = {path: _text(api, repo, info.sha, path) for path in (SPACES, CARD) if path in files}
    license, words = _license_and_words(texts.get(CARD, ""))
    if SPACES in files:
        require_readable(texts[SPACES], repo)
    elif words or files - _EVERYWHERE - {CARD}:
        held = _some(files - _EVERYWHERE)
        raise AtlasError(
            f"{repo} holds something else than an atlas ({held}); name another repository, or an empty one"
        )
    return Remote(info.sha, bool(info.private), _ours(texts.get(SPACES), repo), license, found)


def _text(api: Any, repo: str, commit: str, path: str) -> str:
    place = api.hf_hub_download(repo, path, repo_type="dataset", revision=commit)
    return Path(place).read_text(encoding="utf-8", errors="replace")


def _license_and_words(card: str) -> tuple[str | None, str]:
    """The license in a card's head, and whatever stands below it."""
    if not card.strip():
        return None, ""
    yaml = require("yaml", extra="hub", why="reading a card")
    try:
        found = hub_client().DatasetCard(card, ignore_metadata_errors=True)
    except (yaml.YAMLError, ValueError, TypeError):  # a head that is no YAML, or no object of names
        return None, card
    said = found.data.license
    return (said if isinstance(said, str) else None), found.text.strip()


def _ours(manifest: str | None, repo: str) -> frozenset[str]:
    """The files of an older push; none that could be told when its ``spaces.json`` is damaged."""
    with suppress(AtlasError):
        if manifest is not None:
            return frozenset({file.path for file in read_manifest(manifest, repo).files})
    return frozenset()


def _some(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")
