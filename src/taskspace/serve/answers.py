"""The questions: from an atlas and what was asked to plain values, as the routes send them."""

from __future__ import annotations

import heapq
from dataclasses import asdict
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any

from taskspace._plain import finite
from taskspace._version import __version__
from taskspace.atlas.sharing import shared_identity, shared_provenance
from taskspace.ranking.history import mean_transfers
from taskspace.serve.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from taskspace.embedding import Kind, SpaceId
    from taskspace.ranking import Ranking
    from taskspace.serve.catalogue import Catalogue
    from taskspace.serve.library import Library

NEAREST = 10
"""How many neighbours two tasks are compared by."""


def health(library: Library) -> dict[str, Any]:
    """The state of each space."""
    generations = {space.fingerprint: library.atlas.generation(space) for space in library.atlas.spaces()}
    return {
        "status": "ok", "version": __version__, "atlas": library.name, "entries": len(library.atlas),
        "generations": generations,
    }  # fmt: skip


def spaces(library: Library) -> dict[str, Any]:
    """Oldest first."""
    return {"spaces": [_space(space, library.catalogues.of(space)) for space in library.atlas.spaces()]}


def _space(space: SpaceId, catalogue: Catalogue) -> dict[str, Any]:
    """A base model in a folder goes by the folder's name: where it lies is nobody's business."""
    surrogate = shared_identity(space).surrogate
    return {
        "fingerprint": space.fingerprint, "learner": space.learner, "surrogate": surrogate,
        "revision": space.revision, "pool_size": space.pool_size, "seed": space.seed, "entries": len(catalogue.rows),
        "kinds": dict(catalogue.kinds), "generation": catalogue.matrix.generation,
    }  # fmt: skip


def tasks(
    library: Library, space: str | None, kind: Kind | None, part: str | None, limit: int, offset: int
) -> dict[str, Any]:
    """By name, then by space."""
    catalogues = library.catalogues.all(space)
    found = [(catalogue.space, catalogue.chosen(kind, part)) for catalogue in catalogues]
    total = sum(len(rows) for _, rows in found)
    if len(found) == 1:
        place, rows = found[0]
        shown = [(row, place) for row in rows[offset : offset + limit]]
    else:
        sorted_each = (zip(rows, repeat(place)) for place, rows in found)
        every = heapq.merge(*sorted_each, key=lambda pair: (pair[0].name, pair[1]))
        shown = list(islice(every, offset, offset + limit))
    return {
        "total": total,
        "tasks": [{"name": row.name, "kind": row.kind, "space": place, "content": row.content} for row, place in shown],
    }


def card(library: Library, name: str, space: str | None) -> dict[str, Any]:
    """All that is stored of a task besides its numbers."""
    catalogue = holder(library, name, space)
    entry = library.atlas.entry(name, space=catalogue.identity)
    return {
        "name": entry.name, "kind": entry.kind, "space": entry.space, "content": entry.content, "added": entry.added,
        "dims": entry.dims, "informative": bool(catalogue[name].informative),
        "provenance": finite(shared_provenance(entry.provenance)),
    }  # fmt: skip


def near(library: Library, name: str, space: str | None, k: int, kind: Kind | None) -> dict[str, Any]:
    """By likeness alone."""
    catalogue = holder(library, name, space)
    neighbours = catalogue.neighbours
    return shared(neighbours.nearest(neighbours.target(catalogue.place[name]), k, kind))


def rank(library: Library, name: str, space: str | None, k: int, kind: Kind | None) -> dict[str, Any]:
    """By predicted gain where enough was measured."""
    return shared(library.atlas.rank(name, k=k, kind=kind, space=holder(library, name, space).identity))


def shared(ranking: Ranking) -> dict[str, Any]:
    """A ranking without the folders and addresses that its candidates came from."""
    document = ranking.to_dict()
    for hit in document["hits"]:
        hit["provenance"] = shared_provenance(hit["provenance"])
    return document


def near_key(library: Library, name: str, space: str | None, k: int, kind: Kind | None) -> Hashable:
    """What neighbours hang on: the state of the space."""
    catalogue = holder(library, name, space)
    return ("near", catalogue.space, catalogue.matrix.generation, name, k, kind)


def rank_key(library: Library, name: str, space: str | None, k: int, kind: Kind | None) -> Hashable:
    """What a ranking hangs on: the state of the space, and all that was measured."""
    measured = hash(tuple(library.atlas.transfers()))
    return ("rank", measured, near_key(library, name, space, k, kind))


def compare(library: Library, first: str, second: str, space: str | None) -> dict[str, Any]:
    """Two tasks of one space beside each other."""
    catalogue = holder(library, first, space)
    require_all(catalogue, [second])
    near, places = catalogue.neighbours, [catalogue.place[name] for name in (first, second)]
    pair = [near.target(place) for place in places]
    theirs = [{hit.name: None for hit in near.nearest(each, NEAREST)} for each in pair]
    both = {first, second}
    measured = [row for row in library.atlas.transfers() if {row.source, row.target} == both]
    return {
        "similarity": pair[0].similarity(pair[1]),
        "first": card(library, first, catalogue.space),
        "second": card(library, second, catalogue.space),
        "shared": [name for name in theirs[0] if name in theirs[1]],
        "transfers": [asdict(mean) for mean in mean_transfers(measured)],
    }


def transfers(library: Library, source: str | None, target: str | None, limit: int, offset: int) -> dict[str, Any]:
    """All that were measured, or those from a source, on a target."""
    rows = [row for row in library.atlas.transfers() if source in (None, row.source) and target in (None, row.target)]
    found = mean_transfers(rows)
    return {"total": len(found), "transfers": [asdict(mean) for mean in found[offset : offset + limit]]}


def map_document(catalogue: Catalogue, method: str, seed: int) -> dict[str, Any]:
    """Every task of a space in two dimensions."""
    from taskspace.atlas.map import map_of

    found = map_of(catalogue.matrix, method=method, seed=seed).to_dict()
    return {"space": catalogue.space, **found}


def similarities(catalogue: Catalogue, names: Sequence[str] | None, limit: int) -> dict[str, Any]:
    """These tasks with each other, or a sample of all."""
    from taskspace.atlas.map import similarities as between

    return between(catalogue.matrix, names, limit=limit).to_dict()


def require_all(catalogue: Catalogue, names: Iterable[str]) -> None:
    """Raise for the first name that is not there."""
    for name in names:
        if name not in catalogue:
            raise _unknown(name)


def holder(library: Library, name: str, space: str | None) -> Catalogue:
    """The one space that is meant and holds the name.

    Asked before the atlas is, which would look through all names for the one most like it: at 100,000 of them that
    takes seconds.
    """
    holding = [catalogue for catalogue in library.catalogues.all(space) if name in catalogue]
    if len(holding) == 1:
        return holding[0]
    if not holding:
        raise _unknown(name)
    listed = ", ".join(catalogue.space[:12] for catalogue in holding)
    sentence = f"{name!r} stands in {len(holding)} spaces; say with space= which is meant: {listed}"
    raise Problem(409, "SeveralSpaces", sentence)


def _unknown(name: str) -> Problem:
    return Problem(404, "UnknownName", f"there is no {name!r} here; GET /v1/tasks?q=… finds names by a part of them")
