"""Atlas: the embeddings and measured transfers in one file, and the questions asked of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, final

from taskspace.atlas._answering import Desk, table_of, usual_signals
from taskspace.atlas._finding import chosen_spaces, entry_of, fitting, load, locate, one_space, target_in, text_space
from taskspace.atlas._running import runnable
from taskspace.atlas._stored import now, pack_pool, plain_json, require_name, to_note, to_record, unpack_pool
from taskspace.atlas._values import Entry, Transfer
from taskspace.atlas._writing import put_all
from taskspace.atlas.engines import open_store
from taskspace.atlas.export import write_parquet
from taskspace.atlas.matrix import Matrix, Shelf, cosines_with
from taskspace.atlas.nearest import Neighbours
from taskspace.embedding import KINDS, Kind, SpaceId, TaskEmbedding
from taskspace.errors import AtlasError, SettingError, did_you_mean
from taskspace.ranking import Ranking, block_cosines, order
from taskspace.ranking.history import Row
from taskspace.ranking.history.rows import USUAL_METRIC
from taskspace.ranking.signals import Corpus, signal_named
from taskspace.task import Pool, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from taskspace.atlas._store import View
    from taskspace.atlas._stored import SpaceRow
    from taskspace.space import Space


MOST_READ = 8_000_000_000
"""Bytes of vectors beyond which a store that can search by itself is asked each time."""


@final
class Atlas:
    """A store in one SQLite file, or in LanceDB where ``path`` ends in ``.lance`` or is a URI (``s3://bucket/name``).

    Several threads and processes may use it at once.  ``path`` stays as it was given: a path, or a URI as text.

    A ``space`` argument is a :class:`SpaceId`, a learner's name or the start of a space's fingerprint;
    without it every space is meant, or the only one that fits.

    Raises :class:`AtlasError` when the file cannot be opened, is not an atlas or is of a newer taskspace.
    """

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        self._store = open_store(path, create=create)
        self.path = self._store.path
        self._shelf = Shelf()
        self._near: dict[str, Neighbours] = {}
        self._searched: dict[str, str] = {}

    def __enter__(self) -> Atlas:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Atlas({str(self.path)!r})"

    @property
    def name(self) -> str:
        """The last part of :attr:`path`, by which an atlas can be told without saying where it is."""
        return PurePath(self.path).name

    def __len__(self) -> int:
        with self._store.reading() as view:
            return view.count()

    def __contains__(self, name: object) -> bool:
        with self._store.reading() as view:
            return isinstance(name, str) and bool(view.holding([name])[name])

    def close(self) -> None:
        """Tidy up, so that a file can be copied by itself, and let go of it."""
        self._store.close()

    def check(self) -> str:
        """What is found wrong with the store, as one line; empty when nothing is."""
        with self._store.reading() as view:
            return "; ".join(view.check())

    # Embeddings

    def add(self, *embeddings: TaskEmbedding, replace: bool = True) -> None:
        """Store all of them or none, with their spaces and the pools that ride along.

        ``replace`` overwrites an embedding of the same space, name and kind.  Raises :class:`AtlasError`
        when the name is taken by another kind or the vector does not fit its space.
        """
        records = [to_record(embedding) for embedding in embeddings]
        pools = self._pack({e.space: e.pool for e in embeddings if e.pool is not None})
        with self._store.writing() as change:
            for fingerprint, packed in pools.items():
                change.put_pool(fingerprint, packed)
            put_all(change, embeddings, records, replace=replace)

    def get(self, name: str, *, space: SpaceId | str | None = None) -> TaskEmbedding:
        """The embedding of that name; raises :class:`UnknownName` when there is none."""
        with self._store.reading() as view:
            (row,) = locate(view, self.path, space, name)
            return load(view, row, name)

    def remove(self, *names: str, space: SpaceId | str | None = None) -> None:
        """Remove all of them, or none when a name is not there.  Measured transfers stay."""
        with self._store.writing() as change:
            named: dict[str, list[str]] = defaultdict(list)
            places = locate(change, self.path, space, *names)
            for place, name in dict.fromkeys(zip((row.fingerprint for row in places), names, strict=True)):
                named[place].append(name)
            for row in {row.fingerprint: row for row in places}.values():
                change.remove(row, named[row.fingerprint])

    def rename(self, old: str, new: str, *, space: SpaceId | str | None = None) -> None:
        """Give an embedding another name; transfers follow unless another space still has the old name."""
        require_name(new)
        with self._store.writing() as change:
            (row,) = locate(change, self.path, space, old)
            if new == old:
                return
            holding = change.holding([old, new])
            if row.fingerprint in holding[new]:
                raise AtlasError(f"there is already an embedding named {new!r}; remove it first or choose another name")
            if holding[old] == {row.fingerprint}:
                change.rename_in_transfers(old, new)
            change.rename(row, old, new)

    def entries(self, *, kind: Kind | None = None, space: SpaceId | str | None = None) -> list[Entry]:
        """What is stored, by name; reads no vectors."""
        _require_kind(kind)
        with self._store.reading() as view:
            found = [entry for row in chosen_spaces(view, self.path, space) for entry in view.entries(row, kind)]
        return sorted(found, key=lambda entry: entry.name)

    def entry(self, name: str, *, space: SpaceId | str | None = None) -> Entry:
        """What is stored of one embedding besides its numbers; raises :class:`UnknownName` when there is none."""
        with self._store.reading() as view:
            (row,) = locate(view, self.path, space, name)
            return entry_of(view, row, name)

    def find(self, name: str, *, space: SpaceId) -> Entry | None:
        """As :meth:`entry`, of one space; None where there is none, without looking for names like it."""
        with self._store.reading() as view:
            held = view.holding([name])[name]
            row = next((row for row in fitting(view.spaces(), space) if row.fingerprint in held), None)
            return None if row is None else entry_of(view, row, name)

    def matrix(self, space: SpaceId | str | None = None) -> Matrix:
        """All vectors of one space beside their rows, oldest first; kept until something changes there."""
        with self._store.reading() as view:
            return self._shelf.matrix(view, one_space(view, self.path, space))

    def generation(self, space: SpaceId | str | None = None) -> str:
        """Names one state of a space's embeddings: another one after any write there."""
        with self._store.reading() as view:
            return one_space(view, self.path, space).generation

    def has(self, content: str, kind: Kind, *, space: SpaceId | str) -> bool:
        """Whether what has this content fingerprint is already embedded there."""
        return bool(self.names_of(content, kind, space=space))

    def names_of(self, content: str, kind: Kind, *, space: SpaceId | str) -> list[str]:
        """The names under which that content is embedded there, sorted."""
        with self._store.reading() as view:
            return sorted(name for row in fitting(view.spaces(), space) for name in view.names_of(row, content, kind))

    # Spaces

    def spaces(self) -> list[SpaceId]:
        """The spaces known here, oldest first."""
        with self._store.reading() as view:
            return [row.identity for row in view.spaces()]

    def keep_space(
        self,
        space: SpaceId,
        pool: Pool | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        unless_any: bool = False,
    ) -> SpaceId:
        """Remember a space, its pool, and the ``options`` with which it can be opened again (plain JSON values).

        With ``unless_any`` an atlas that has a space of texts keeps it instead.  Gives back the space that counts.
        """
        if options is not None:
            plain_json(options, "the options of the space")
        pools = {} if pool is None else self._pack({space: pool})
        with self._store.writing() as change:
            there = [row for row in change.spaces() if row.identity.reads_texts] if unless_any else []
            if there:
                return there[0].identity
            for fingerprint, packed in pools.items():
                change.put_pool(fingerprint, packed)
            row = change.put_space(space)
            if options is not None:
                change.set_options(row, options)
        return space

    def pool(self, space: SpaceId | str | None = None) -> Pool:
        """The pool of a space; raises :class:`AtlasError` when it was not kept."""
        with self._store.reading() as view:
            fingerprint = text_space(view, self.path, space).identity.pool
            packed = view.packed_pool(fingerprint)
        if packed is None:
            raise AtlasError(f"the pool of that space is not in {self.path}; give it (--pool FILE, or keep_space)")
        pool = unpack_pool(packed)
        if pool.fingerprint != fingerprint:
            raise AtlasError(f"the pool stored in {self.path} is damaged; give it again (--pool FILE, or keep_space)")
        return pool

    def space_id(self, selector: SpaceId | str | None = None) -> SpaceId:
        """The one space that ``selector`` names; raises :class:`SettingError` listing them when it is not one."""
        with self._store.reading() as view:
            return one_space(view, self.path, selector).identity

    def options(self, selector: SpaceId | str | None = None) -> dict[str, Any]:
        """The options kept with a space."""
        with self._store.reading() as view:
            return one_space(view, self.path, selector).options

    def open_space(self, selector: SpaceId | str | None = None) -> Space:
        """The space itself, ready to embed, from the kept pool and options."""
        from taskspace.space import Space

        with self._store.reading() as view:
            row = text_space(view, self.path, selector)
        return Space.open(row.identity, self.pool(row.identity), **row.options)

    # Questions

    def rank(
        self,
        target: str | TaskEmbedding | Task,
        *,
        k: int | None = 10,
        kind: Kind | None = None,
        space: SpaceId | str | None = None,
        fusion: str = "mean",
        centre: bool = False,
        run: int = 0,
    ) -> Ranking:
        """What to start from for ``target``: a stored name, an embedding, or a task, which is embedded first.

        Once transfers with a baseline were observed on two other targets that are embedded here, candidates are
        ordered by the gain that they predict, "do not transfer" among them.  Until then the order is by likeness, as
        :meth:`near` has it, and the ranking says that it is uncalibrated.

        ``run`` is how many of the best candidates that are checkpoints are put to the labelled rows of ``target``,
        which must be a task then: LogME of their features joins the other signals.

        Raises as :meth:`near` does.
        """
        _require_kind(kind)
        if run < 0 or run == 1:
            raise SettingError(
                f"run is {run}; give how many candidates may be run and compared, at least 2, or 0 for none"
            )
        known = self.open_space(space).embed(target) if isinstance(target, Task) else target
        with self._store.reading() as view:
            embedding, row = target_in(view, self.path, known, space)
            matrix = self._shelf.matrix(view, row)
        desk = Desk(embedding, matrix, table_of(self.transfers()), kind)
        if not desk.calibrates and not run:
            return self.near(known, k=k, kind=kind, space=space, fusion=fusion, centre=centre)
        signals = usual_signals(row.identity.learner, fusion=fusion, centre=centre)
        if not run:
            return desk.answer(signals, k=k)
        if not isinstance(target, Task):
            raise SettingError(
                f"run={run} needs the rows of {embedding.name!r}; give the task or its file, not its name"
            )
        corpus = Corpus(target)
        corpus.labels  # noqa: B018  # raises where there are none, before any model is loaded
        models, problems = runnable(desk.answer(signals), run)
        if len(models) < 2:
            why = f" ({'; '.join(problems)})" if problems else ""
            raise SettingError(
                f"{len(models)} candidates are checkpoints that can be run here{why}; leave run (--run) out"
            )
        ranking = desk.answer([*signals, signal_named("logme")], k=k, corpus=corpus, models=models)
        told = f"run on the target's rows: {', '.join(models)}; what LogME counts is fixed, not learned"
        return replace(ranking, notes=(*ranking.notes, *problems, told))

    def near(
        self,
        target: str | TaskEmbedding,
        *,
        k: int | None = 10,
        kind: Kind | None = None,
        space: SpaceId | str | None = None,
        fusion: str = "mean",
        include_self: bool = False,
        centre: bool = False,
    ) -> Ranking:
        """The nearest ``k`` embeddings of one space, all for ``None``; see :func:`taskspace.ranking.rank`.

        With ``centre`` the mean of the space's embeddings, of every kind, is taken off first.

        Raises :class:`UnknownName`, :class:`SpaceMismatch` or :class:`SettingError`.
        """
        _require_kind(kind)
        with self._store.reading() as view:
            embedding, row = target_in(view, self.path, target, space)
            plain = fusion == "mean" and not centre and len(row.blocks) == 1 and row.blocks == embedding.blocks
            found = None
            if plain and k is not None and k > 0 and not self._shelf.has(view, row) and self._searches(view, row):
                found = view.closest(row, embedding, k, kind)
            matrix = self._shelf.matrix(view, row) if found is None else None
        if matrix is None:
            assert found is not None
            cosines = block_cosines(embedding.vector, found.vectors, embedding.blocks)
            return order(embedding, found.rows, cosines, k=k, include_self=include_self)
        if fusion == "mean" and not centre and k is not None and matrix.rows and matrix.blocks == embedding.blocks:
            neighbours = self._neighbours(row.identity, matrix)
            return neighbours.nearest(embedding, k, kind, include_self=include_self)
        rows, cosines = matrix.rows, cosines_with(embedding, matrix, centre=centre)
        centred = sum(row.informative for row in rows) if centre else 0
        if kind is not None:
            wanted = [i for i, candidate in enumerate(rows) if candidate.kind == kind]
            rows, cosines = [rows[i] for i in wanted], cosines[wanted]
        return order(embedding, rows, cosines, k=k, fusion=fusion, include_self=include_self, centred=centred)

    def _searches(self, view: View, space: SpaceRow) -> bool:
        """Whether the store may search by itself: once, since who asks again is sooner served by vectors at hand."""
        before = self._searched.get(space.fingerprint)
        self._searched[space.fingerprint] = space.generation
        return before != space.generation or 4 * space.dims * view.count() > MOST_READ

    def _neighbours(self, space: SpaceId, matrix: Matrix) -> Neighbours:
        held = self._near.get(space.fingerprint)
        if held is None or held.matrix is not matrix:
            held = self._near[space.fingerprint] = Neighbours.of(space, matrix)
        return held

    # Measured transfers

    def observe(
        self,
        *,
        source: str,
        target: str,
        score: float,
        baseline: float | None = None,
        metric: str = USUAL_METRIC,
        seed: int | None = None,
    ) -> None:
        """Note a measured transfer; the names need not be in the atlas, and repeated measurements all stay.

        Raises as :meth:`observe_all` does.
        """
        self.observe_all([Row(source, target, score, baseline, seed, metric)], again=True)

    def observe_all(self, rows: Iterable[Row], *, again: bool = False) -> int:
        """Note all these transfers or none; gives back how many are new.

        A row that was noted before, equal in everything, is not noted a second time unless ``again``.  One that
        states no metric counts as accuracy.

        Raises :class:`SettingError` for a blank name, a score or baseline that is no finite number, and a seed that is
        no whole number.
        """
        given = [to_note(row) for row in rows]
        with self._store.writing() as change:
            if not again:
                there = {(t.source, t.target, t.score, t.baseline, t.metric, t.seed) for t in change.transfers()}
                given = [row for row in dict.fromkeys(given) if row not in there]
            noted = now()
            change.note([Transfer(*row, noted=noted) for row in given])
        return len(given)

    def transfers(self) -> list[Transfer]:
        """All measurements, in the order in which they were noted."""
        with self._store.reading() as view:
            return view.transfers()

    def export(self, path: str | Path, *, space: SpaceId | str | None = None) -> Path:
        """Write a Parquet file, whole or not at all; a row per embedding, provenance as JSON text."""
        with self._store.reading() as view:
            return write_parquet(view, Path(path), chosen_spaces(view, self.path, space))

    def _pack(self, pools: Mapping[SpaceId, Pool]) -> dict[str, bytes]:
        """Pools that are not stored yet, compressed before the write begins."""
        for space, pool in pools.items():
            if pool.fingerprint != space.pool:
                raise AtlasError(f"the pool given with {space} is another one than the space's; give the space's own")
        if not pools:
            return {}
        with self._store.reading() as view:
            new = {pool.fingerprint: pool for pool in pools.values() if view.packed_pool(pool.fingerprint) is None}
        return {fingerprint: pack_pool(pool) for fingerprint, pool in new.items()}


def _require_kind(kind: str | None) -> None:
    if kind is not None and kind not in KINDS:
        raise SettingError(f"there is no kind {kind!r}{did_you_mean(kind, KINDS)}")
