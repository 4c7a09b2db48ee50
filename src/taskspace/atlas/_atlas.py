"""Atlas: the embeddings and measured transfers in one file, and the questions asked of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from taskspace.atlas import _rows
from taskspace.atlas._answering import Desk, table_of, usual_signals
from taskspace.atlas._finding import chosen_spaces, fitting, locate, one_space, target_in
from taskspace.atlas._running import runnable
from taskspace.atlas._store import Store
from taskspace.atlas._values import Entry, Transfer
from taskspace.atlas.export import write_parquet
from taskspace.atlas.matrix import Matrix, Shelf, cosines_with
from taskspace.embedding import KINDS, Kind, SpaceId, TaskEmbedding
from taskspace.errors import AtlasError, SettingError, did_you_mean
from taskspace.ranking import Ranking, order
from taskspace.ranking.history import Row
from taskspace.ranking.history.rows import USUAL_METRIC
from taskspace.ranking.signals import Corpus, signal_named
from taskspace.task import Pool, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from taskspace.space import Space


@final
class Atlas:
    """A store in one SQLite file, for several threads and processes at once.

    A ``space`` argument is a :class:`SpaceId`, a learner's name or the start of a space's fingerprint;
    without it every space is meant, or the only one that fits.

    Raises :class:`AtlasError` when the file cannot be opened, is not an atlas or is of a newer taskspace.
    """

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        self.path = Path(path)
        self._store = Store(self.path, create=create)
        self._shelf = Shelf()

    def __enter__(self) -> Atlas:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Atlas({str(self.path)!r})"

    def __len__(self) -> int:
        with self._store.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM embeddings").fetchone()[0])

    def __contains__(self, name: object) -> bool:
        with self._store.reading() as connection:
            return isinstance(name, str) and bool(_rows.find(connection, name))

    def close(self) -> None:
        """Bring everything into the one file and let go of it."""
        self._store.close()

    def check(self) -> str:
        """What SQLite finds wrong with the file, as one line; empty when nothing is."""
        with self._store.reading() as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        return "; ".join([*(line for line in found if line != "ok"), *(f"orphan row in {row[0]}" for row in orphans)])

    # Embeddings

    def add(self, *embeddings: TaskEmbedding, replace: bool = True) -> None:
        """Store all of them or none, with their spaces and the pools that ride along.

        ``replace`` overwrites an embedding of the same space, name and kind.  Raises :class:`AtlasError`
        when the name is taken by another kind or the vector does not fit its space.
        """
        stored = [_rows.plain_json(e.provenance, f"the provenance of {e.name!r}") for e in embeddings]
        for embedding in embeddings:
            _require_name(embedding.name)
        pools = self._pack({e.space: e.pool for e in embeddings if e.pool is not None})
        with self._store.writing() as connection:
            for fingerprint, packed in pools.items():
                _rows.put_pool(connection, fingerprint, packed)
            keys = {space: _rows.put_space(connection, space) for space in dict.fromkeys(e.space for e in embeddings)}
            for embedding, provenance in zip(embeddings, stored, strict=True):
                _rows.put(connection, keys[embedding.space], embedding, provenance, replace=replace)
            for key in keys.values():
                _rows.touch(connection, key)

    def get(self, name: str, *, space: SpaceId | str | None = None) -> TaskEmbedding:
        """The embedding of that name; raises :class:`UnknownName` when there is none."""
        with self._store.reading() as connection:
            key, row = locate(connection, self.path, name, space)
            return _rows.load(connection, key, row)

    def remove(self, *names: str, space: SpaceId | str | None = None) -> None:
        """Remove all of them, or none when a name is not there.  Measured transfers stay."""
        with self._store.writing() as connection:
            for key, row in [locate(connection, self.path, name, space) for name in names]:
                connection.execute("DELETE FROM embeddings WHERE id = ?", (key,))
                _rows.touch(connection, row.id)

    def rename(self, old: str, new: str, *, space: SpaceId | str | None = None) -> None:
        """Give an embedding another name; transfers follow unless another space still has the old name."""
        _require_name(new)
        with self._store.writing() as connection:
            key, row = locate(connection, self.path, old, space)
            if new != old and row.id in {place for _, place in _rows.find(connection, new)}:
                raise AtlasError(f"there is already an embedding named {new!r}; remove it first or choose another name")
            connection.execute("UPDATE embeddings SET name = ? WHERE id = ?", (new, key))
            _rows.touch(connection, row.id)
            if not _rows.find(connection, old):
                connection.execute("UPDATE transfers SET source = ? WHERE source = ?", (new, old))
                connection.execute("UPDATE transfers SET target = ? WHERE target = ?", (new, old))

    def entries(self, *, kind: Kind | None = None, space: SpaceId | str | None = None) -> list[Entry]:
        """What is stored, by name; reads no vectors."""
        _require_kind(kind)
        with self._store.reading() as connection:
            places = {row.id: row.identity.fingerprint for row in chosen_spaces(connection, self.path, space)}
            found = connection.execute(
                "SELECT space, name, kind, content, added, provenance, length(vector) / 4 FROM embeddings"
                " WHERE ? IS NULL OR kind = ? ORDER BY name, space",
                (kind, kind),
            )
            return [
                Entry(name, what, places[place], content, added, json.loads(provenance), dims)
                for place, name, what, content, added, provenance, dims in found
                if place in places
            ]

    def entry(self, name: str, *, space: SpaceId | str | None = None) -> Entry:
        """What is stored of one embedding besides its numbers; raises :class:`UnknownName` when there is none."""
        with self._store.reading() as connection:
            key, row = locate(connection, self.path, name, space)
            found = connection.execute(
                "SELECT kind, content, added, provenance, length(vector) / 4 FROM embeddings WHERE id = ?", (key,)
            ).fetchone()
        kind, content, added, provenance, dims = found
        return Entry(name, kind, row.identity.fingerprint, content, added, json.loads(provenance), dims)

    def matrix(self, space: SpaceId | str | None = None) -> Matrix:
        """All vectors of one space beside their rows, oldest first; kept until something changes there."""
        with self._store.reading() as connection:
            return self._shelf.matrix(connection, one_space(connection, self.path, space))

    def generation(self, space: SpaceId | str | None = None) -> str:
        """Names one state of a space's embeddings: another one after any write there."""
        with self._store.reading() as connection:
            return one_space(connection, self.path, space).generation

    def has(self, content: str, kind: Kind, *, space: SpaceId | str) -> bool:
        """Whether what has this content fingerprint is already embedded there."""
        return bool(self.names_of(content, kind, space=space))

    def names_of(self, content: str, kind: Kind, *, space: SpaceId | str) -> list[str]:
        """The names under which that content is embedded there, sorted."""
        with self._store.reading() as connection:
            places = {row.id for row in fitting(_rows.all_spaces(connection), space)}
            found = connection.execute(
                "SELECT space, name FROM embeddings WHERE content = ? AND kind = ? ORDER BY name", (content, kind)
            )
            return [name for place, name in found if place in places]

    # Spaces

    def spaces(self) -> list[SpaceId]:
        """The spaces known here, oldest first."""
        with self._store.reading() as connection:
            return [row.identity for row in _rows.all_spaces(connection)]

    def keep_space(
        self,
        space: SpaceId,
        pool: Pool | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        unless_any: bool = False,
    ) -> SpaceId:
        """Remember a space, its pool, and the ``options`` with which it can be opened again (plain JSON values).

        With ``unless_any`` an atlas that has a space keeps it instead.  Gives back the space that counts.
        """
        stored = None if options is None else _rows.plain_json(options, "the options of the space")
        pools = {} if pool is None else self._pack({space: pool})
        with self._store.writing() as connection:
            there = _rows.all_spaces(connection) if unless_any else []
            if there:
                return there[0].identity
            for fingerprint, packed in pools.items():
                _rows.put_pool(connection, fingerprint, packed)
            key = _rows.put_space(connection, space)
            if stored is not None:
                connection.execute("UPDATE spaces SET options = ? WHERE id = ?", (stored, key))
        return space

    def pool(self, space: SpaceId | str | None = None) -> Pool:
        """The pool of a space; raises :class:`AtlasError` when it was not kept."""
        with self._store.reading() as connection:
            fingerprint = one_space(connection, self.path, space).identity.pool
            pool = _rows.get_pool(connection, fingerprint)
        if pool is None:
            raise AtlasError(f"the pool of that space is not in {self.path}; give it with keep_space")
        if pool.fingerprint != fingerprint:
            raise AtlasError(f"the pool stored in {self.path} is damaged; give it again with keep_space")
        return pool

    def space_id(self, selector: SpaceId | str | None = None) -> SpaceId:
        """The one space that ``selector`` names; raises :class:`SettingError` listing them when it is not one."""
        with self._store.reading() as connection:
            return one_space(connection, self.path, selector).identity

    def options(self, selector: SpaceId | str | None = None) -> dict[str, Any]:
        """The options kept with a space."""
        with self._store.reading() as connection:
            return one_space(connection, self.path, selector).options

    def open_space(self, selector: SpaceId | str | None = None) -> Space:
        """The space itself, ready to embed, from the kept pool and options."""
        from taskspace.space import Space

        with self._store.reading() as connection:
            row = one_space(connection, self.path, selector)
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
        with self._store.reading() as connection:
            embedding, row = target_in(connection, self.path, known, space)
            matrix = self._shelf.matrix(connection, row)
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
        with self._store.reading() as connection:
            embedding, row = target_in(connection, self.path, target, space)
            matrix = self._shelf.matrix(connection, row)
        rows, cosines = matrix.rows, cosines_with(embedding, matrix, centre=centre)
        centred = sum(row.informative for row in rows) if centre else 0
        if kind is not None:
            wanted = [i for i, candidate in enumerate(rows) if candidate.kind == kind]
            rows, cosines = [rows[i] for i in wanted], cosines[wanted]
        return order(embedding, rows, cosines, k=k, fusion=fusion, include_self=include_self, centred=centred)

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
        given = [_rows.to_note(row) for row in rows]
        with self._store.writing() as connection:
            return _rows.note(connection, given, again=again)

    def transfers(self) -> list[Transfer]:
        """All measurements, in the order in which they were noted."""
        with self._store.reading() as connection:
            found = connection.execute(
                "SELECT source, target, score, baseline, metric, seed, noted FROM transfers ORDER BY id"
            )
            return [Transfer(*row) for row in found]

    def export(self, path: str | Path, *, space: SpaceId | str | None = None) -> Path:
        """Write a Parquet file, whole or not at all; a row per embedding, provenance as JSON text."""
        with self._store.reading() as connection:
            return write_parquet(connection, Path(path), chosen_spaces(connection, self.path, space))

    def _pack(self, pools: Mapping[SpaceId, Pool]) -> dict[str, bytes]:
        """Pools that are not stored yet, compressed before the write begins."""
        for space, pool in pools.items():
            if pool.fingerprint != space.pool:
                raise AtlasError(f"the pool given with {space} is another one than the space's; give the space's own")
        with self._store.reading() as connection:
            new = {p.fingerprint: p for p in pools.values() if not _rows.has_pool(connection, p.fingerprint)}
        return {fingerprint: _rows.pack_pool(pool) for fingerprint, pool in new.items()}


def _require_name(name: str) -> None:
    if not name.strip():
        raise AtlasError(f"{name!r} is no name; give at least one letter")


def _require_kind(kind: str | None) -> None:
    if kind is not None and kind not in KINDS:
        raise SettingError(f"there is no kind {kind!r}{did_you_mean(kind, KINDS)}")
