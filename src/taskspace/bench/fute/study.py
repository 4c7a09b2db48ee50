"""What the parts of the study share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, final

from taskspace.atlas import Atlas
from taskspace.bench.fute.models import tuned_model
from taskspace.bench.fute.spaces import Item, embedded
from taskspace.bench.fute.tasks import study_pool
from taskspace.space import Space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from taskspace.bench.fute.models import SourceModel
    from taskspace.bench.fute.plan import Plan
    from taskspace.bench.fute.tasks import Corpus, TaskFolders
    from taskspace.embedding import TaskEmbedding
    from taskspace.surrogates import Surrogate
    from taskspace.task import Pool, Task

ATLAS = "atlas.db"


@final
@dataclass(frozen=True, eq=False)
class Study:
    """A plan with its tasks, its texts and its base model, at work in ``folder``.

    ``models`` is the folder of ``taskspace bench transfer`` that holds the tuned sources.  ``kinds`` is a table of
    models of other kinds that found their data sets, measured elsewhere.  ``tell`` hears what is at work.
    """

    plan: Plan
    tasks: TaskFolders
    corpus: Corpus
    surrogate: Surrogate
    folder: Path
    models: Path
    kinds: Path | None = None
    tell: Callable[[str], None] = lambda line: None
    _tuned: dict[str, SourceModel] = field(default_factory=dict[str, "SourceModel"], init=False, repr=False)

    @cached_property
    def pool(self) -> Pool:
        plan = self.plan
        return study_pool(
            self.tasks, self.corpus, plan.pool_size, plan.pair_share, sources=plan.sources, names=plan.names,
            fitted_rows=plan.fitted_rows, seed=plan.seed,
        )  # fmt: skip

    @cached_property
    def atlas(self) -> Atlas:
        self.folder.mkdir(parents=True, exist_ok=True)
        return Atlas(self.folder / ATLAS)

    def space(self, learner: str, pool: Pool | None = None, surrogate: Surrogate | None = None) -> Space:
        """The space of a learner with the plan's settings, by default over the study's pool and base model."""
        settings = self.plan.learners.get(learner, {})
        return Space(
            pool or self.pool, surrogate=surrogate or self.surrogate, learner=learner, seed=self.plan.seed, **settings
        )

    def embed(self, space: Space, items: Sequence[Item]) -> dict[str, TaskEmbedding]:
        """By item name, through the atlas."""
        return embedded(space, items, self.atlas, self.tell)

    def sources(self, space: Space) -> dict[str, TaskEmbedding]:
        """The data sets of the sources by task name (DTE)."""
        return self.named(space, self.plan.sources, "", self.source_rows)

    def targets(self, space: Space) -> dict[str, TaskEmbedding]:
        """The data sets of the targets by task name: the few rows that a user has (DTE)."""
        return self.named(space, self.plan.targets, "target", self.target_rows)

    def source_models(self, space: Space) -> dict[str, TaskEmbedding]:
        """The tuned models of the sources by task name, from their answers to the pool (MTE)."""
        return self.named(space, self.plan.sources, "model", self.tuned_model)

    def source_rows(self, name: str) -> Task:
        return self.tasks.rows(name, self.plan.source_rows)

    def target_rows(self, name: str) -> Task:
        return self.tasks.rows(name, self.plan.shots)

    def tuned_model(self, name: str) -> SourceModel:
        """Read once, since its file is large."""
        if name not in self._tuned:
            reads = "pairs" if self.tasks.pairs(name) else "texts"
            answers = self.folder / "answers"
            self._tuned[name] = tuned_model(self.surrogate, self.models, name, reads=reads, kept=answers)
        return self._tuned[name]

    def named(
        self, space: Space, names: Iterable[str], suffix: str, load: Callable[[str], Task | SourceModel]
    ) -> dict[str, TaskEmbedding]:
        """Embeddings by task name; in the atlas they are called by name and ``suffix``, since one task has several."""
        keys = {f"{name} {suffix}".strip(): name for name in names}
        items = [Item(key, lambda key=key, name=name: replace(load(name), name=key)) for key, name in keys.items()]
        return {keys[key]: each for key, each in self.embed(space, items).items()}
