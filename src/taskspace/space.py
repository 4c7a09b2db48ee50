"""Space: a surrogate, a learner, a pool and a seed; and the one verb that maps tasks and models into it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace._version import __version__
from taskspace.embedding import SpaceId, TaskEmbedding
from taskspace.errors import SettingError, SpaceMismatch
from taskspace.labelers import Labeler, ask
from taskspace.labels import Answers, Targets
from taskspace.learners import (
    Embed,
    EmbedsMany,
    Evidence,
    FitsPool,
    Ground,
    Learned,
    Learner,
    LearnsMany,
    gather,
    load_learner,
)
from taskspace.surrogates import DEFAULT_SURROGATE, Surrogate, load_surrogate
from taskspace.task import Inputs, Pool, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.embedding import Kind


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set or labeler that has been read and answered, with nothing left to do but to learn from it."""

    name: str
    kind: Kind
    content: str
    evidence: Evidence
    about: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Groundwork:
    """What is computed once per space: ``features`` float32[n, w] of the pool's texts, and what the learner fitted."""

    features: NDArray[np.float32]
    fitted: Any


@final
class Space:
    """Where tasks become comparable vectors (FUTE, arXiv 2402.14522, section 3).

    A data set is embedded from its own texts and labels (DTE).  A labeler first answers the pool, and
    its answers are then the labels (MTE).  ``surrogate`` is a Hub id, a local folder or an
    :class:`~taskspace.surrogates.Surrogate`; ``learner`` a name or a :class:`~taskspace.learners.Learner`,
    ``settings`` the named learner's.

    Raises :class:`SurrogateError` when the base model cannot be found, :class:`SettingError` for a
    learner or setting that does not exist.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        surrogate: str | Path | Surrogate = DEFAULT_SURROGATE,
        learner: str | Learner = "response",
        seed: int = 0,
        revision: str | None = None,
        device: str | None = None,
        progress: bool = False,
        **settings: Any,
    ) -> None:
        if not isinstance(seed, int) or seed < 0:  # pyright: ignore[reportUnnecessaryIsInstance]  # callers need not be typed
            raise SettingError(f"seed={seed!r} is not a whole number of at least 0; give one")
        if settings and not isinstance(learner, str):
            raise SettingError(f"{', '.join(settings)} cannot be set on a learner that is made already; set it there")
        if not isinstance(surrogate, Surrogate):
            surrogate = load_surrogate(surrogate, revision=revision, device=device)
        self.pool = pool
        self.surrogate = surrogate
        self.learner = load_learner(learner, **settings) if isinstance(learner, str) else learner
        self.seed = seed
        self._progress = progress
        self._fitted: Any = None

    def __repr__(self) -> str:
        return f"Space({self.identity})"

    def __getstate__(self) -> dict[str, Any]:
        """Without what is made of the rest: a space that was pickled loads and binds anew, and shows no bars."""
        made = ("identity", "_embed")
        return {key: value for key, value in vars(self).items() if key not in made} | {"_progress": False}

    @classmethod
    def open(
        cls,
        identity: SpaceId,
        pool: Pool,
        *,
        surrogate: str | Path | None = None,
        device: str | None = None,
        progress: bool = False,
    ) -> Space:
        """Build a stored space again, from ``surrogate`` where its files have moved.

        Raises :class:`SpaceMismatch` when the files or the pool found are not those it was made with.
        """
        encoder = open_surrogate(identity, surrogate=surrogate, device=device)
        learner = load_learner(identity.learner, **identity.settings)
        space = cls(pool, surrogate=encoder, learner=learner, seed=identity.seed, progress=progress)
        try:
            identity.require_same(space.identity)
        except SpaceMismatch as error:
            raise SpaceMismatch(f"the space {identity} cannot be built again: {error}") from error
        return space

    @cached_property
    def identity(self) -> SpaceId:
        """What must be equal before two vectors may be compared."""
        located = self.surrogate.located
        return SpaceId(
            surrogate=located.name,
            revision=located.revision,
            weights=located.fingerprint,
            encoding=self.surrogate.encoding,
            learner=self.learner.name,
            settings=dict(self.learner.settings),
            pool=self.pool.fingerprint,
            pool_size=len(self.pool),
            seed=self.seed,
        )

    @cached_property
    def _embed(self) -> Embed:
        return self.learner.bind(self._ground)

    @property
    def _ground(self) -> Ground:
        return Ground(self.surrogate, self.pool, self.seed, self._progress, self._fitted)

    def groundwork(self) -> Groundwork:
        """Compute what all embeddings here share, or read it from the caches, to hand it to this space elsewhere."""
        fitted = self.learner.fit(self._ground) if isinstance(self.learner, FitsPool) else None
        return Groundwork(self.surrogate.features(_texts_of(self.pool), progress=self._progress), fitted)

    def build_on(self, work: Groundwork) -> None:
        """Use what another process computed for this space; to be called before anything is embedded."""
        self.surrogate.hold(_texts_of(self.pool), work.features)
        self._fitted = work.fitted

    def embed(self, what: Task | Labeler, *, name: str | None = None) -> TaskEmbedding:
        """Map a data set or anything that labels texts to a vector of this space.

        Raises :class:`DataError` for a task with nothing to tell apart, :class:`LabelerError` for
        answers that are no answers.
        """
        return self.embed_many([self.prepare(what, name=name)])[0]

    def embed_many(self, what: Sequence[Task | Labeler | Prepared]) -> list[TaskEmbedding]:
        """One embedding each, as :meth:`embed` makes them, in less time where the learner learns several at once.

        Nothing comes of any where one of them fails.
        """
        ready = [each if isinstance(each, Prepared) else self.prepare(each) for each in what]
        evidences = [each.evidence for each in ready]
        if not ready:  # the learner may have much to do before its first task
            return []
        learn = self._embed
        learned = learn.many(evidences) if isinstance(learn, EmbedsMany) else [learn(one) for one in evidences]
        return [self._embedding(*pair) for pair in zip(ready, learned, strict=True)]

    @property
    def at_once(self) -> int:
        """How many tasks the learner takes in the same batches."""
        return self.learner.at_once if isinstance(self.learner, LearnsMany) else 1

    def prepare(self, what: Task | Labeler, *, name: str | None = None) -> Prepared:
        """Read a task's answers, or ask a labeler for its answers to the pool; raises as :meth:`embed` does."""
        return self._from_task(what, name) if isinstance(what, Task) else self._from_labeler(what, name)

    def _from_task(self, task: Task, name: str | None) -> Prepared:
        if self.learner.needs_labels:
            task.require_learnable()
        task = task.canonical()
        about = {
            "input_rows": len(task),
            "classes": len(task.label_names),
            "label_kind": task.kind,
            "pool_overlap": self.pool.overlap(task),
            "description": task.description,
        }
        labels = task.stated_labels
        texts = labels.texts if isinstance(labels, Targets) and self.learner.needs_labels else ()
        evidence = gather(task.inputs, self._answers_of(task), texts)
        return Prepared(name or task.name, "dataset", task.fingerprint, evidence, about)

    def _from_labeler(self, labeler: Labeler, name: str | None) -> Prepared:
        inputs, answers = ask(labeler, self.pool, progress=self._progress)
        about = {
            **labeler.provenance,
            "input_rows": len(inputs),
            "classes": answers.values.shape[1] if answers.kind == "classes" else 0,
            "label_kind": answers.kind,
            "coverage": round(answers.coverage, 4),
            "model_calls": len(inputs),
        }
        evidence = gather(inputs, answers)
        return Prepared(name or labeler.name, labeler.kind, labeler.fingerprint, evidence, about)

    def _embedding(self, ready: Prepared, learned: Learned) -> TaskEmbedding:
        return TaskEmbedding(
            name=ready.name,
            kind=ready.kind,
            space=self.identity,
            vector=np.concatenate(list(learned.blocks.values())),
            blocks=tuple((block, len(part)) for block, part in learned.blocks.items()),
            content=ready.content,
            provenance={**ready.about, **learned.report, "taskspace": __version__},
            pool=self.pool,
        )

    def _answers_of(self, task: Task) -> Answers:
        labels = task.stated_labels
        if labels is None or not self.learner.needs_labels:
            return Answers(np.zeros((len(task), 0)), np.ones(len(task), dtype=bool))
        if isinstance(labels, Targets):
            return self._target_answers(task.inputs, labels)
        return Answers.from_labels(labels)

    def _target_answers(self, inputs: Inputs, targets: Targets) -> Answers:
        """Target texts stand for their own features on the surrogate's last layer (ours)."""
        known = np.array([text is not None for text in targets.texts], dtype=bool)
        values = np.zeros((len(inputs), self.surrogate.hidden))
        texts = [text for text in targets.texts if text is not None]
        values[known] = self.surrogate.last_layer(self.surrogate.features(texts, progress=self._progress))
        return Answers(values, known, "targets")


def _texts_of(pool: Pool) -> list[str]:
    """First texts, then second ones."""
    return [*pool.inputs.texts, *(pair for pair in pool.inputs.pairs if pair is not None)]


def open_surrogate(identity: SpaceId, *, surrogate: str | Path | None = None, device: str | None = None) -> Surrogate:
    """The base model of a stored space at its own revision, or ``surrogate`` where its files have moved."""
    moved = surrogate is not None and str(surrogate) != identity.surrogate
    anywhere = moved or identity.revision in ("local", "wheel")
    return load_surrogate(
        surrogate or identity.surrogate,
        revision=None if anywhere else identity.revision,
        layers=identity.encoding["layers"],
        max_length=identity.encoding["max_length"],
        device=device,
    )
