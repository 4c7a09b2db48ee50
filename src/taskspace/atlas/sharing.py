"""What of an atlas may leave this machine: no folders, no addresses of endpoints, nothing that looks like a key."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from taskspace.data.files import format_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.embedding import SpaceId

PULLED_FROM = "pulled_from"
"""Where in its provenance an embedding says from which repository and commit it came."""

_TEXTS = {"description", "labels", "answers", "template", "note"}
"""Keys of a provenance that hold words for a reader, in which a slash is no folder."""

_ADDRESS = re.compile(r"https?://[^#\s]*", re.IGNORECASE)
_FOLDER = re.compile(r"(?:file:|~|\.{1,2}|[a-z]:)?[/\\].*[/\\].*|(?:~|\.{1,2}|[a-z]:)[/\\].*|file:.*", re.IGNORECASE)
_PATH = re.compile(r"(?:\bfile:/*|\b[a-z]:(?=[/\\]))?[^:#]*[/\\][^:#]*", re.IGNORECASE)
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+(@[\w./-]+)?")
_OTHER_FILE = re.compile(r"\.(toml|py|skops|joblib|pkl|pickle|npy|gz)", re.IGNORECASE)
_KEY = re.compile(r"\b(?:hf_|sk-|gh[pousr]_|xox[abp]-)[\w-]{30,}")


def shared_provenance(provenance: Mapping[str, Any], repo: str = "") -> dict[str, Any]:
    """The provenance without what is of this machine alone.

    Of a path its last name stays, of an endpoint nothing but the model that it was asked for.  That an embedding was
    once pulled from ``repo`` itself goes without saying.
    """
    kept = {key: value for key, value in provenance.items() if key != "endpoint"}
    if str(kept.get(PULLED_FROM, "")).startswith(f"{repo}@"):
        del kept[PULLED_FROM]
    if kept.get("revision") == "local" and isinstance(kept.get("model"), str):
        kept["model"] = _last(kept["model"])
    return {key: _shared(key, value) for key, value in kept.items()}


def shared_identity(identity: SpaceId) -> SpaceId:
    """The same space; of a base model in a folder the folder's own name, which is not compared."""
    if identity.revision != "local" and not _FOLDER.fullmatch(identity.surrogate):
        return identity
    return replace(identity, surrogate=_last(identity.surrogate))


def shared_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Where the base model is found, if that is the Hub: folders and devices are of one machine."""
    surrogate = options.get("surrogate")
    return {"surrogate": surrogate} if isinstance(surrogate, str) and _HUB_ID.fullmatch(surrogate) else {}


def _shared(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return _KEY.sub("***", value if key in _TEXTS else _relative(key, value))
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        return {name: _shared(key if key in _TEXTS else name, part) for name, part in parts.items()}
    if isinstance(value, list):
        return [_shared(key, each) for each in cast("list[Any]", value)]
    return value


def _relative(key: str, text: str) -> str:
    if key == "origin":
        return _shared_origin(text)
    return _last(text) if _FOLDER.fullmatch(text) else text


def _shared_origin(origin: str) -> str:
    """What was named on the command line: a file, a Hub id, ``KIND:FILE:NAME`` or ``http://HOST/v1#FILE:NAME``."""
    origin = _ADDRESS.sub("endpoint", origin)
    return _PATH.sub(lambda found: found[0] if _is_hub_id(found[0]) else _last(found[0]), origin)


def _is_hub_id(text: str) -> bool:
    path = Path(text)
    is_file = format_of(path) is not None or _OTHER_FILE.fullmatch(path.suffix)
    return _HUB_ID.fullmatch(text) is not None and not is_file


def _last(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] or "folder"
