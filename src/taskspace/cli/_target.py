"""A target on the command line: a name in the atlas, or something to embed first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from taskspace.cli import _options as o
from taskspace.errors import UnknownName, did_you_mean

if TYPE_CHECKING:
    from taskspace.atlas import Atlas
    from taskspace.task import Task


def target_of(
    atlas: Atlas, said: str, *, text: str | None, text_pair: str | None, label: str | None, limit: int
) -> str | Task:
    """Names go before files; a word that is neither raises :class:`UnknownName`."""
    if said in atlas:
        return said
    if not o.there(said) and "/" not in said and not Path(said).suffix:
        near = did_you_mean(said, [entry.name for entry in atlas.entries()])
        raise UnknownName(f"{said!r} is neither a name in {atlas.path} nor a file{near}")
    return o.read_source(said, text=text, text_pair=text_pair, label=label, limit=limit)
