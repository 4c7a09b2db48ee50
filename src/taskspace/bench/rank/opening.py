"""From the files of a ground truth to :class:`GroundTruth`: rows, vectors, features and maps, each made once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, final

from taskspace.atlas import Atlas
from taskspace.bench.rank.features import Features, TunedSource, map_of
from taskspace.bench.rank.ground import Embedded, GroundTruth
from taskspace.bench.rank.tasks import TaskRows
from taskspace.bench.transfer import NO_TRANSFER, Records, write_csv
from taskspace.bench.transfer.running import DATABASE, TABLE
from taskspace.errors import DataError
from taskspace.ranking.history import Transfers
from taskspace.ranking.signals import Corpus
from taskspace.ranking.signals import Source as Candidate
from taskspace.scale import Source, embed_all
from taskspace.space import Space

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from taskspace.embedding import TaskEmbedding
    from taskspace.surrogates import Surrogate
    from taskspace.task import Inputs, Pool, Task

LEARNERS = ("response", "text", "fisher")
"""Those that cost seconds a task; the tuned ones take minutes each and are asked for by name."""

_ATLAS, _FEATURES = "atlas.db", "features"
_DRAWS = {"source_rows": 1000, "shots": 128, "test_rows": 400}


def read_truth(path: Path, out: Path) -> tuple[Transfers, dict[str, Any]]:
    """The transfers of a CSV, or of a folder of ``taskspace bench transfer`` as far as it has come; and its settings.

    What was read of a folder is written to ``out`` as a table.
    """
    if path.is_file():
        return Transfers.read(path, none=NO_TRANSFER), {}
    if (path / DATABASE).is_file():
        records = Records(path / DATABASE)
        out.mkdir(parents=True, exist_ok=True)
        table = write_csv(out / TABLE, records.runs(), NO_TRANSFER)
        return Transfers.read(table, none=NO_TRANSFER), records.settings
    if (path / TABLE).is_file():
        return Transfers.read(path / TABLE, none=NO_TRANSFER), {}
    raise DataError(f"there is no ground truth at {path}; make one with 'taskspace bench transfer'")


def rows_of(
    data: Path, settings: Mapping[str, Any], source_rows: int | None = None, target_rows: int | None = None
) -> TaskRows:
    """The rows that a ground truth was measured with, or other numbers of them where such are said."""
    drawn = {key: int(settings.get(key, usual)) for key, usual in _DRAWS.items()}
    return TaskRows(
        folder=data,
        source_rows=source_rows or drawn["source_rows"],
        target_rows=target_rows or drawn["shots"],
        test_rows=drawn["test_rows"],
    )


def require_same_model(surrogate: Surrogate, settings: Mapping[str, Any]) -> None:
    """Raise :class:`DataError` where a ground truth says that another model was tuned."""
    if settings.get("model") not in (None, surrogate.fingerprint):
        raise DataError(
            f"the ground truth was measured with another model than {surrogate.located.name}, or with texts not cut "
            f"at {surrogate.max_length} tokens; give its model and length"
        )


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Opening:
    """What a ground truth is opened with; everything that takes time is kept in ``out``.

    ``learners`` are those whose vectors are made, over ``pool``, by default texts of the sources; ``settings`` what is
    set otherwise of each.  ``truth`` is the folder that keeps the tuned sources, None where none were kept.
    """

    transfers: Transfers
    tasks: TaskRows
    surrogate: Surrogate
    out: Path
    truth: Path | None = None
    learners: Sequence[str] = LEARNERS
    pool: Pool | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, "Mapping[str, Any]"])
    tell: Callable[[str], None] = lambda line: None

    def open(self) -> GroundTruth:
        """Compute what is missing, and give the whole."""
        features = Features(self.surrogate, self.out / _FEATURES, self.truth)
        runnable = features.tuned_sources(self.transfers.sources)
        targets = {name: self.tasks.target(name) for name in self.transfers.targets}
        asked = [task.inputs for task in targets.values()]
        features.prepare(runnable, {name: [*asked, *self._own(name)] for name in runnable}, self.tell)
        return GroundTruth(
            transfers=self.transfers,
            sources={name: self._source(features, name, name in runnable) for name in self.transfers.sources},
            corpora={name: _corpus(features, task) for name, task in targets.items()},
            vectors=self._vectors(),
        )

    def _own(self, name: str) -> list[Inputs]:
        return [self.tasks.source(name).inputs] if self.tasks.has(name) else []

    def _source(self, features: Features, name: str, runs: bool) -> Candidate:
        """One that was distilled from a black box has no rows of its own."""
        model = TunedSource(features, name) if runs else None
        if not self.tasks.has(name):
            return Candidate(name, model=model)
        task = self.tasks.source(name)
        space_map = map_of(features, name, task.inputs) if runs else None
        return Candidate(name, _corpus(features, task), model=model, space_map=space_map)

    def _vectors(self) -> dict[str, Embedded]:
        pool = self.pool or self.tasks.pool(name for name in self.transfers.sources if self.tasks.has(name))
        found: dict[str, Embedded] = {}
        self.out.mkdir(parents=True, exist_ok=True)
        with Atlas(self.out / _ATLAS) as atlas:
            for learner in self.learners:
                space = Space(pool, surrogate=self.surrogate, learner=learner, **self.settings.get(learner, {}))
                found[learner] = self._embedded(space, atlas)
        return found

    def _embedded(self, space: Space, atlas: Atlas) -> Embedded:
        loads = {
            f"{name} as source": partial(self.tasks.source, name)
            for name in self.transfers.sources
            if self.tasks.has(name)
        }
        loads |= {f"{name} as target": partial(self.tasks.target, name) for name in self.transfers.targets}
        items = [Source(name, partial(_named, load, name)) for name, load in loads.items()]
        vectors: dict[str, TaskEmbedding] = {}
        for done in embed_all(space, items, atlas):
            if done.status == "failed":
                self.tell(f"{space.learner.name}: {done.origin} is left out, since {done.problem}")
                continue
            if done.status != "kept":
                self.tell(f"{space.learner.name}: {done.name} embedded")
            vectors[done.origin] = atlas.get(done.name, space=space.identity)
        if not vectors:
            raise DataError(f"no task can be embedded by {space.learner.name}; leave that learner out")
        sources, targets = (
            {name: vectors[key].vector for name in names if (key := f"{name} as {what}") in vectors}
            for what, names in (("source", self.transfers.sources), ("target", self.transfers.targets))
        )
        return Embedded(sources, targets, next(iter(vectors.values())).blocks)


def _corpus(features: Features, task: Task) -> Corpus:
    return Corpus(task, partial(features.base, task.inputs))


def _named(load: Callable[[], Task], name: str) -> Task:
    return replace(load(), name=name)
