"""Our own JSON beside a prompt's numbers, taken to be what its fields must be before anything reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from taskspace.errors import PromptError
from taskspace.tuning.identity import BackboneId, BackboneKind

_KINDS: tuple[str, ...] = get_args(BackboneKind)
_OBJECTS = ("recipe", "imported", "metrics", "start", "applied")
_COUNTS = {"recipe": ("max_length",), "imported": ("stored_rows", "dropped_rows")}
_BACKBONE = {"name": str, "revision": str, "kind": str, "width": int, "vocabulary": int, "table": str}


def backbone_from(said: Any, where: object) -> BackboneId | None:
    """The backbone that a header names, None where it names none."""
    if said is None:
        return None
    known = object_from(said, "backbone", where)
    for name, kind in _BACKBONE.items():
        if name in known:
            _require(isinstance(known[name], kind), f"backbone.{name}", known[name], where)
    _require(known.get("kind") in _KINDS, "backbone.kind", known.get("kind"), where)
    return BackboneId.from_dict(known)


def provenance_from(said: Any, where: object, path: str = "provenance") -> dict[str, Any]:
    """A provenance whose known fields are what they are read as; others may hold anything."""
    about = object_from(said, path, where)
    for name in set(_OBJECTS) & set(about):
        inner = object_from(about[name], f"{path}.{name}", where)
        for count in set(_COUNTS.get(name, ())) & set(inner):
            _require(isinstance(inner[count], int), f"{path}.{name}.{count}", inner[count], where)
    sources_from(about.get("applied", {}), where, f"{path}.applied")
    return about


def sources_from(said: Mapping[str, Any], where: object, path: str = "provenance") -> None:
    """The sources of a vector, each with a provenance of its own."""
    for key, source in object_from(said.get("sources", {}), f"{path}.sources", where).items():
        each = object_from(source, f"{path}.sources.{key}", where)
        provenance_from(each.get("provenance", {}), where, f"{path}.sources.{key}.provenance")


def text_from(said: Any, what: str, where: object) -> str:
    _require(isinstance(said, str), what, said, where)
    return said


def object_from(said: Any, what: str, where: object) -> dict[str, Any]:
    _require(isinstance(said, Mapping), what, said, where)
    return dict(cast("Mapping[str, Any]", said))


def _require(holds: bool, what: str, value: Any, where: object) -> None:  # noqa: FBT001 - the question itself
    if not holds:
        raise PromptError(f"the header of {where} is damaged ({what} is {value!r}); fetch it again, or save it anew")
