"""What the Atlas refuses to store, and how several spaces are written together."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.atlas._store import Change
    from taskspace.atlas._stored import Record, SpaceRow
    from taskspace.embedding import Blocks, SpaceId, TaskEmbedding


def put_all(change: Change, embeddings: Sequence[TaskEmbedding], records: Sequence[Record], *, replace: bool) -> None:
    """Put each embedding into its space, as the record beside it; nothing where one of them is refused."""
    given: dict[SpaceId, list[tuple[TaskEmbedding, Record]]] = defaultdict(list)
    for embedding, record in zip(embeddings, records, strict=True):
        given[embedding.space].append((embedding, record))
    rows = {space: change.put_space(space) for space in given}
    for space, pairs in given.items():
        blocks = _one_for_all(change, rows[space], [embedding for embedding, _ in pairs])
        change.put(rows[space], blocks, _latest(change, rows[space], [record for _, record in pairs], replace=replace))


def _one_for_all(change: Change, space: SpaceRow, embeddings: Sequence[TaskEmbedding]) -> Blocks:
    """All vectors of a space have the same blocks; the first one sets them."""
    blocks = space.blocks
    for embedding in embeddings:
        if embedding.blocks == blocks:
            continue
        if embedding is embeddings[0] and not change.names(space):
            blocks = embedding.blocks
            continue
        held, new = (f"{sum(size for _, size in b)} numbers in {len(b)} blocks" for b in (blocks, embedding.blocks))
        raise AtlasError(f"{embedding.name!r} has {new}, but its space holds vectors of {held}; embed it again there")
    return blocks


def _latest(change: Change, space: SpaceRow, records: Sequence[Record], *, replace: bool) -> list[Record]:
    """The last record of each name; refuses to overwrite what it should not."""
    held = change.kinds(space, [record.name for record in records])
    latest: dict[str, Record] = {}
    for record in records:
        kind = held.get(record.name)
        if kind is not None and (kind != record.kind or not replace):
            raise AtlasError(
                f"there is already a {kind} named {record.name!r}; give this {record.kind} another name or remove"
                " that one"
            )
        held[record.name] = record.kind
        latest[record.name] = record
    return list(latest.values())
