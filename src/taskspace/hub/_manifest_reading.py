"""``spaces.json`` as it comes from elsewhere: checked field by field before anything is made of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

from taskspace.embedding import KINDS, Kind, SpaceId
from taskspace.errors import AtlasError, EmbeddingError
from taskspace.hub._client import in_words
from taskspace.hub._manifest import FORMAT, SPACES, WHAT, File, Manifest, PoolPart, SpacePart, TransferPart

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACE = re.compile(r"(spaces/[\w.-]+\.parquet|pools/[0-9a-f]+\.parquet|transfers\.parquet|map\.png)", re.ASCII)
_IDENTITY: dict[str, type] = {
    "surrogate": str, "revision": str, "weights": str, "encoding": dict, "learner": str, "settings": dict,
    "pool": str, "pool_size": int, "seed": int, "recipe": int,
}  # fmt: skip

T = TypeVar("T")


def read_manifest(text: str, repo: str) -> Manifest:
    """Read what :meth:`Manifest.to_json` wrote, believing nothing.

    Raises :class:`AtlasError` when it is of another kind, of a newer format, damaged, or when a space does not have the
    fingerprint that is said of it.
    """
    require_readable(text, repo)
    try:
        return _manifest(_object(json.loads(text), "the whole"))
    except (ValueError, TypeError, EmbeddingError) as error:
        raise AtlasError(
            f"{SPACES} of {repo} is damaged ({in_words(error)}); pull another revision, or have it pushed again"
        ) from error


def require_readable(text: str, repo: str) -> None:
    """Raise :class:`AtlasError` for the ``spaces.json`` of another program, or of a newer taskspace."""
    found = _format_of(text)
    if found is None:
        raise AtlasError(f"{repo} has a {SPACES} that is not that of an atlas; name another repository")
    if found > FORMAT:
        raise AtlasError(
            f"{repo} was pushed by a newer taskspace (format {found}, this one reads {FORMAT}); upgrade taskspace"
        )


def _format_of(text: str) -> int | None:
    """The format of a ``spaces.json``; ``None`` for that of another program."""
    try:
        document = _object(json.loads(text), "the whole")
        return _of(document, "format", int) if document.get("what") == WHAT else None
    except (ValueError, RecursionError):
        return None


def _manifest(document: Mapping[str, Any]) -> Manifest:
    transfers = _of(document, "transfers", dict)
    manifest = Manifest(
        spaces=tuple(_space(_object(part, "a space")) for part in _of(document, "spaces", list)),
        pools=tuple(
            PoolPart(_of(part, "fingerprint", str), _count(part, "rows"), _file(part))
            for part in (_object(each, "a pool") for each in _of(document, "pools", list))
        ),
        transfers=TransferPart(_count(transfers, "rows"), _file(transfers)),
        pictures=tuple(_file({"file": each}) for each in _of(document, "pictures", list)),
        version=_of(document, "taskspace", str),
    )
    _require_distinct("space", [part.identity.fingerprint for part in manifest.spaces])
    _require_distinct("file", [file.path for file in manifest.files])
    return manifest


def _require_distinct(what: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"a {what} is named twice")


def _space(part: Mapping[str, Any]) -> SpacePart:
    said = _of(part, "identity", dict)
    identity = SpaceId.from_dict(said)
    for field, kind in _IDENTITY.items():
        _of(said, field, kind)
    if identity.fingerprint != part.get("fingerprint"):
        raise ValueError(f"the space {identity} has the fingerprint {identity.fingerprint[:12]}, another one is said")
    kinds = _of(part, "kinds", dict)
    if not set(kinds) <= set(KINDS):
        raise ValueError(f"there is no kind {min(set(kinds) - set(KINDS))!r}")
    blocks = tuple(_block(each) for each in _of(part, "blocks", list))
    counts: dict[Kind, int] = {kind: _count(kinds, kind) for kind in KINDS if kind in kinds}
    return SpacePart(identity, blocks, _of(part, "options", dict), counts, _file(part))


def _block(said: Any) -> tuple[str, int]:
    name, size = said
    if not isinstance(name, str) or type(size) is not int or size < 1:
        raise ValueError(f"{said!r} is no block")
    return name, size


def _file(part: Mapping[str, Any]) -> File:
    said = _of(part, "file", dict)
    path = _of(said, "path", str)
    if not _PLACE.fullmatch(path):
        raise ValueError(f"{path!r} is no place for a file")
    return File(path, _count(said, "bytes"), _of(said, "sha256", str))


def _count(part: Mapping[str, Any], key: str) -> int:
    value = _of(part, key, int)
    if value < 0:
        raise ValueError(f"{key} is {value}")
    return value


def _of(part: Mapping[str, Any], key: str, kind: type[T]) -> T:
    """``part[key]``, which must be of exactly this type: a ``bool`` is no number."""
    if key not in part:
        raise ValueError(f"there is no {key!r}")
    if type(part[key]) is not kind:
        raise ValueError(f"{key!r} is {str(part[key])[:40]!r}")
    return part[key]


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return cast("Mapping[str, Any]", value)
