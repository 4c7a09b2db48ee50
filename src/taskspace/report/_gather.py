"""Gather what a report says of one target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._version import __version__
from taskspace.atlas._answering import table_of
from taskspace.atlas.duplicates import copies_of
from taskspace.atlas.map import map_of
from taskspace.atlas.sharing import shared_identity
from taskspace.errors import SettingError
from taskspace.ranking import block_norms
from taskspace.ranking._rank import is_target
from taskspace.report._cost import cost_of, flops_of, parameters_in, size_of
from taskspace.report._doubts import doubts_of
from taskspace.report._past import measured_targets, past_of
from taskspace.report._task import facts_of
from taskspace.report._values import Candidate, Made, Place, Report, Step
from taskspace.report._verdict import verdict_of
from taskspace.report._words import in_words, is_none, unit_of
from taskspace.task import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.atlas import Atlas, Matrix
    from taskspace.atlas.map import Map
    from taskspace.embedding import Kind, SpaceId, TaskEmbedding
    from taskspace.ranking import Hit
    from taskspace.ranking.history import Transfers
    from taskspace.space import Space

_NEIGHBOURS = 5
_ON_MAP = 2000
"""Entries that are drawn; of more, a sample with the target's neighbours."""


def report_of(
    atlas: Atlas,
    target: str | Task | TaskEmbedding,
    *,
    k: int = 8,
    kind: Kind | None = None,
    space: SpaceId | str | None = None,
    examples: int = 0,
    epochs: float = 3,
    base: str | None = None,
    parameters: int | None = None,
    rate: float | None = None,
    command: str | None = None,
    date: str | None = None,
) -> Report:
    """What to tell a colleague about ``target``: a stored name, an embedding, or a task, which is embedded first.

    Only a task has rows to tell of: the balance of its labels, its lengths, and as many ``examples`` as are asked for.
    ``k`` candidates are told of, of one ``kind`` if given.  Costs are those of tuning ``base`` for so many
    ``epochs``; left out, it is the surrogate of the space, whose ``parameters`` are counted where its files are at
    hand, and FLOPs become seconds where a ``rate`` (FLOPs a second) is given.  ``command`` and ``date`` are only told.

    Raises as :meth:`Atlas.rank` does, and :class:`SettingError` for numbers that cannot be.
    """
    _check(k=k, examples=examples, epochs=epochs, parameters=parameters, rate=rate)
    opened, task, here = _embedded(atlas, target, space)
    identity = here.space
    ranking = atlas.rank(here, k=None, kind=kind, space=identity)
    near = atlas.near(here, k=None, space=identity)
    transfers = table_of(atlas.transfers())
    matrix = atlas.matrix(identity)
    own = {here.name, *(row.name for row in matrix.rows if is_target(row, here))}
    hundredths = _in_hundredths(transfers)
    unit = unit_of(transfers.metric, hundredths=hundredths)
    limit = identity.encoding.get("max_length")
    tokens = None if opened is None or task is None else _tokens(opened, task)
    facts = facts_of(here, task, examples=examples, tokens=tokens, limit=limit)
    told = [hit for hit in ranking if not is_none(hit.kind)][:k]
    there = {row.name for row in matrix.rows}
    past = past_of(transfers, near, own, [hit.name for hit in told], measured_targets(transfers, there, own))
    reader = _counted(atlas, identity)
    size = parameters if parameters is not None or base is not None else reader
    per_row = facts.lengths.mean if facts.lengths is not None and tokens is not None else float(limit or 0)
    cost = cost_of(
        ranking.hits, base=base or shared_identity(identity).surrogate, parameters=size, reader=reader,
        rows=facts.rows, tokens=per_row, measured=tokens is not None, epochs=epochs, rate=rate,
    )  # fmt: skip
    copies = copies_of(atlas, here)
    chart, focus = _charted(matrix, here, [hit.name for hit in near][: _ON_MAP // 2])
    return Report(
        target=facts,
        verdict=verdict_of(facts, ranking, past, {pair.second for pair in copies}, unit=unit, hundredths=hundredths),
        ranking=ranking,
        candidates=tuple(_candidate(hit, identity.learner, size, facts.rows, per_row, epochs) for hit in told),
        neighbours=tuple(Place(hit.name, hit.kind, hit.score) for hit in near[:_NEIGHBOURS] if not is_none(hit.kind)),
        copies=copies,
        past=past,
        cost=cost,
        doubts=doubts_of(facts, ranking, past, copies, unit=unit, hundredths=hundredths),
        made=_made(atlas, identity, len(matrix.rows), command, date),
        unit=unit,
        hundredths=hundredths,
        map=chart,
        focus=focus,
    )


def _check(*, k: int, examples: int, epochs: float, parameters: int | None, rate: float | None) -> None:
    if k < 1:
        raise SettingError(f"k is {k}; ask for at least 1 candidate")
    if examples < 0:
        raise SettingError(f"{examples} examples cannot be shown; ask for 0 or more")
    if not 0 < epochs < np.inf:
        raise SettingError(f"{epochs:g} epochs are no training; give a number above 0")
    if parameters is not None and parameters < 1:
        raise SettingError(f"a model of {parameters} parameters cannot be; give at least 1")
    if rate is not None and not 0 < rate < np.inf:
        raise SettingError(f"a rate of {rate:g} FLOPs a second cannot be; give a number above 0")


def _embedded(
    atlas: Atlas, target: str | Task | TaskEmbedding, space: SpaceId | str | None
) -> tuple[Space | None, Task | None, TaskEmbedding]:
    if isinstance(target, Task):
        opened = atlas.open_space(space)
        return opened, target, opened.embed(target)
    return None, None, atlas.get(target, space=space) if isinstance(target, str) else target


def _tokens(space: Space, task: Task) -> list[int]:
    """Tokens of each text and then of each second text, cut where the surrogate cuts them; 0 where there is none."""
    texts = [*task.inputs.texts, *(pair or "" for pair in task.inputs.pairs)]
    distinct = sorted({text for text in texts if text})
    columns = space.surrogate.tokenized(distinct, [None] * len(distinct)) if distinct else {"input_ids": []}
    sizes = dict(zip(distinct, map(len, columns["input_ids"]), strict=True))
    return [sizes.get(text, 0) for text in texts]


def _in_hundredths(transfers: Transfers) -> bool:
    """Whether all scores lie between 0 and 1, so that a gain is best told in points."""
    known = transfers.scores[~np.isnan(transfers.scores)]
    return bool(len(known)) and bool(((known >= 0) & (known <= 1)).all())


def _counted(atlas: Atlas, space: SpaceId) -> int | None:
    """The surrogate's parameters, where its files are at hand."""
    moved = atlas.options(space).get("surrogate")
    return parameters_in(str(moved or space.surrogate), None if moved else space.revision)


def _candidate(
    hit: Hit, learner: str, parameters: int | None, rows: int | None, tokens: float, epochs: float
) -> Candidate:
    steps = [Step(name, in_words(name, learner), adds, hit.signals.get(name)) for name, adds in hit.parts.items()]
    steps.sort(key=lambda step: -abs(step.adds))
    return Candidate(hit, tuple(steps), size_of(hit, parameters), flops_of(hit, parameters, rows, tokens, epochs))


def _made(atlas: Atlas, space: SpaceId, entries: int, command: str | None, date: str | None) -> Made:
    about: dict[str, Any] = {
        "fingerprint": space.fingerprint, "surrogate": shared_identity(space).surrogate, "revision": space.revision,
        "learner": space.learner, "settings": dict(space.settings), "pool_size": space.pool_size, "seed": space.seed,
    }  # fmt: skip
    return Made(__version__, atlas.name, entries, len(atlas.transfers()), about, command, date)


def _charted(matrix: Matrix, target: TaskEmbedding, near: Sequence[str]) -> tuple[Map | None, int | None]:
    """The map with the target on it, and its place there; of a large space with its neighbours and a sample."""
    found = [i for i, row in enumerate(matrix.rows) if (row.name, row.kind) == (target.name, target.kind)]
    if not len(matrix.rows):
        return None, None
    if len(matrix.rows) > _ON_MAP:
        place = {row.name: i for i, row in enumerate(matrix.rows)}
        drawn = np.random.default_rng(0).permutation(len(matrix.rows)).tolist()
        kept = [*found, *(place[name] for name in near), *drawn]
        matrix = _only(matrix, sorted(list(dict.fromkeys(kept))[:_ON_MAP]))
        found = [i for i, row in enumerate(matrix.rows) if (row.name, row.kind) == (target.name, target.kind)]
    if not found:
        matrix, found = _with(matrix, target), [len(matrix.rows)]
    return map_of(matrix), found[0]


def _only(matrix: Matrix, places: list[int]) -> Matrix:
    rows = [matrix.rows[i] for i in places]
    return replace(matrix, rows=rows, vectors=matrix.vectors[places], norms=matrix.norms[places])


def _with(matrix: Matrix, target: TaskEmbedding) -> Matrix:
    """The matrix with one more row, which is stored nowhere."""
    vectors = np.concatenate([matrix.vectors, target.vector[None]])
    norms = np.concatenate([matrix.norms, block_norms(target.vector[None], matrix.blocks)])
    rows: Any = [*matrix.rows, target]
    return replace(matrix, rows=rows, vectors=vectors, norms=norms)
