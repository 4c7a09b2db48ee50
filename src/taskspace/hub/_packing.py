"""From an atlas to the files of a repository."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskspace.atlas import Entry
from taskspace.atlas.engines import open_store
from taskspace.atlas.sharing import PULLED_FROM, shared_identity, shared_options, shared_provenance
from taskspace.hub._card_tables import some
from taskspace.hub._manifest import PICTURE, TRANSFERS, File, Manifest, PoolPart, SpacePart, TransferPart, space_name
from taskspace.hub._picture import LEAST, can_draw, draw
from taskspace.hub._space_table import rows_at_once, write_space
from taskspace.hub._tables import write_pool, write_transfers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from taskspace.atlas import Atlas, Transfer
    from taskspace.atlas._store import View
    from taskspace.atlas._stored import Record, SpaceRow
    from taskspace.embedding import SpaceId

_FEW = 300
"""Embeddings for each of which the nearest is looked up."""


@dataclass(frozen=True)
class Packed:
    """The files that lie in a folder as they will in the repository, what a card tells of them, and what is not there.

    ``nearest`` is by space and name; ``caption`` says what the map is, empty where none was drawn.
    """

    manifest: Manifest
    entries: tuple[Entry, ...]
    transfers: tuple[Transfer, ...]
    nearest: Mapping[tuple[str, str], tuple[str, float]]
    caption: str
    left_out: tuple[str, ...]


def pack(atlas: Atlas, folder: Path, repo: str, *, with_pool: bool) -> Packed:
    """Write one state of ``atlas`` to ``folder``: spaces, transfers, pools and a map; the atlas is only read.

    Raises :class:`AtlasError` when a pool was asked for that is not there.
    """
    for part in ("spaces", "pools"):
        (folder / part).mkdir()
    store = open_store(atlas.path, create=False)
    try:
        with store.reading() as view:
            packed = [_space(view, space, folder, repo) for space in view.spaces()]
            transfers = tuple(view.transfers())
    finally:
        store.close()
    write_transfers(folder / TRANSFERS, transfers)
    fullest = max(packed, key=lambda each: len(each[1]), default=None)
    caption = draw(atlas, fullest[0].identity, folder / PICTURE) if fullest else ""
    spaces = tuple(part for part, _ in packed)
    manifest = Manifest(
        spaces=spaces,
        pools=_pools(atlas, spaces, folder) if with_pool else (),
        transfers=TransferPart(len(transfers), File.of(folder / TRANSFERS, TRANSFERS)),
        pictures=(File.of(folder / PICTURE, PICTURE),) if caption else (),
    )
    entries = tuple(entry for _, found in packed for entry in found)
    left_out = _left_out(atlas.spaces(), entries, repo, with_pool=with_pool)
    return Packed(manifest, entries, transfers, _nearest(atlas, entries), caption, tuple(left_out))


def _space(view: View, space: SpaceRow, folder: Path, repo: str) -> tuple[SpacePart, list[Entry]]:
    """Write the embeddings of a space; gives back an entry for each, with its provenance as it is here."""
    place = f"spaces/{space_name(space.identity)}.parquet"
    entries: list[Entry] = []

    def shared() -> Iterator[Record]:
        for record in (each for records in view.records(space, rows_at_once(space.dims)) for each in records):
            about = json.loads(record.provenance)
            entries.append(
                Entry(record.name, record.kind, space.fingerprint, record.content, record.added, about, space.dims)
            )
            yield record._replace(provenance=json.dumps(shared_provenance(about, repo)))

    write_space(folder / place, space.fingerprint, shared(), space.dims)
    part = SpacePart(
        shared_identity(space.identity), space.blocks if entries else (), shared_options(space.options),
        Counter(entry.kind for entry in entries), File.of(folder / place, place),
    )  # fmt: skip
    return part, entries


def _pools(atlas: Atlas, parts: Sequence[SpacePart], folder: Path) -> tuple[PoolPart, ...]:
    found: dict[str, PoolPart] = {}
    for space in (part.identity for part in parts):
        if space.reads_texts and space.pool not in found:
            pool, place = atlas.pool(space), f"pools/{space.pool[:12]}.parquet"
            write_pool(folder / place, pool)
            found[space.pool] = PoolPart(space.pool, len(pool), File.of(folder / place, place))
    return tuple(found.values())


def _nearest(atlas: Atlas, entries: Sequence[Entry]) -> dict[tuple[str, str], tuple[str, float]]:
    """By space and name, what is nearest to each in its space and how near; of a large atlas nothing."""
    found: dict[tuple[str, str], tuple[str, float]] = {}
    for entry in entries if len(entries) <= _FEW else ():
        hits = atlas.near(entry.name, k=1, space=entry.space)
        if len(hits):
            found[entry.space, entry.name] = (hits[0].name, hits[0].score)
    return found


def _left_out(spaces: Sequence[SpaceId], entries: Sequence[Entry], repo: str, *, with_pool: bool) -> list[str]:
    """What of the atlas stays here, in words."""
    told: list[str] = []
    sizes = {space.pool: space.pool_size for space in spaces if space.reads_texts}
    if sizes and not with_pool:
        texts = " and ".join(some(size, "text") for size in sizes.values())
        told.append(f"the pool ({texts}), without which nothing new can be embedded; --with-pool takes it along")
    changed = sum(
        {**entry.provenance, PULLED_FROM: ""} != {**shared_provenance(entry.provenance, repo), PULLED_FROM: ""}
        for entry in entries
    )
    if changed:
        told.append(f"folders and addresses in the provenance of {some(changed, 'embedding')}; last names stay")
    if any(shared_identity(space).surrogate != space.surrogate for space in spaces):
        told.append("the folder of the base model; its own name and its hash stay")
    if len(entries) >= LEAST and not can_draw():
        told.append("a map for the card, which needs matplotlib; pip install 'taskspace[plot]'")
    return told
