"""One pass of a language model over prompts and texts; every method of choosing reads from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

from taskspace.errors import DataError, LabelerError, SettingError
from taskspace.labelers.prompts import Reading, class_scores, from_prompt
from taskspace.prompting.choosing._answer_functions import AnswerFunctions, answer_functions, in_order
from taskspace.prompting.choosing._gather import common_labels, gather_readings
from taskspace.prompting.choosing._readings import FREE_INPUTS, PromptReadings
from taskspace.prompting.choosing._self_select import self_select
from taskspace.task import Inputs, Pool, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from taskspace.labelers.prompts import ClassScores, Prompt, PromptModel
    from taskspace.labelers.store import AnswerStore
    from taskspace.space import Space


@dataclass(frozen=True)
class Cost:
    """What a study took: rows put to the model now, rows that were in the store, and seconds for both.

    ``calls`` counts what the rows asked now cost: one each with all its answers, two with a reasoning round.
    What a server was really asked stands in its ``usage``.
    """

    asked: int = 0
    kept: int = 0
    calls: int = 0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.asked + other.asked, self.kept + other.kept, self.calls + other.calls, self.seconds + other.seconds
        )

    def __str__(self) -> str:
        return f"{self.calls} calls of the model, {self.kept} answers from the store, {self.seconds:.1f} s"


@dataclass(frozen=True, eq=False)
class Compared:
    """What FUTE compares: prompts' answers to a pool, and a data set's."""

    readings: PromptReadings
    functions: AnswerFunctions
    data: str


@dataclass(frozen=True, eq=False)
class PromptStudy:
    """Prompts as read on the user's texts, and what else was measured for methods that need it.

    ``compared`` is there if a data set was given, ``own_order`` float64[T] (and what the model wrote) if the
    model was asked for it.
    """

    prompts: tuple[Prompt, ...]
    readings: PromptReadings
    cost: Cost
    compared: Compared | None = None
    own_order: tuple[NDArray[np.float64], str] | None = None


def study_prompts(
    prompts: Sequence[Prompt],
    texts: Task | Pool | Inputs | Sequence[str],
    model: PromptModel,
    *,
    like: Task | None = None,
    space: Space | None = None,
    content_free: bool = True,
    ask_model: bool = False,
    store: AnswerStore | None = None,
    progress: bool = False,
) -> PromptStudy:
    """Put every text to every prompt once; what is in the answer store is not asked again.

    With ``like``, a labelled data set of the same classes, prompts are compared with it too: on the texts
    themselves, or on the pool of ``space`` where one is given.  ``content_free`` asks three texts that say
    nothing (for ``cc`` and ``pmi_dc``), ``ask_model`` lets the model order the prompts itself.

    Raises :class:`SettingError` for prompts of different labels or kinds of text, :class:`DataError` for
    texts that the prompts cannot read, :class:`LabelerError` when the model fails: answers are kept.
    """
    prompts = tuple(prompts)
    labels = common_labels(prompts)
    if like is not None:
        in_order(like, labels)  # for what it refuses, before anything is asked
    reader = _Reader(prompts, model, store, progress)
    inputs = _of_kind(_inputs_of(texts), reader.pairs)
    readings, cost = reader.read(inputs, content_free=content_free)
    compared = None
    if like is not None:
        compared, more = _compared(reader, inputs, readings, like, space, content_free=content_free)
        cost = cost + more
    own_order = None
    if ask_model:
        start = perf_counter()
        own_order = self_select(prompts, model)
        cost = cost + Cost(calls=1, seconds=perf_counter() - start)
    return PromptStudy(prompts, readings, cost, compared, own_order)


def _compared(
    reader: _Reader, inputs: Inputs, readings: PromptReadings, like: Task, space: Space | None, *, content_free: bool
) -> tuple[Compared, Cost]:
    cost = Cost()
    if space is None:
        from taskspace.space import Space

        space = Space(Pool(inputs.texts, inputs.pairs))
    else:
        inputs = _of_kind(space.pool.inputs, reader.pairs)
        readings, cost = reader.read(inputs, content_free=content_free)
    start = perf_counter()
    functions = answer_functions(space, like, inputs, readings.labels)
    return Compared(readings, functions, like.name), cost + Cost(seconds=perf_counter() - start)


@dataclass(frozen=True, eq=False)
class _Reader:
    prompts: tuple[Prompt, ...]
    model: PromptModel
    store: AnswerStore | None
    progress: bool

    @property
    def pairs(self) -> bool:
        """Whether the prompts read pairs; they must all read the same."""
        kinds = {prompt.reads: prompt.name for prompt in reversed(self.prompts)}
        if len(kinds) > 1:
            raise SettingError(
                f"prompt {kinds['pairs']!r} asks about pairs and {kinds['texts']!r} about single texts; choose among"
                " prompts of one kind"
            )
        return "pairs" in kinds

    def read(self, inputs: Inputs, *, content_free: bool) -> tuple[PromptReadings, Cost]:
        start, cost = perf_counter(), Cost()
        scores: list[ClassScores] = []
        free: list[ClassScores] = []
        blank = Inputs(FREE_INPUTS, FREE_INPUTS if self.pairs else (None,) * len(FREE_INPUTS))
        for prompt in self.prompts:
            labeler = replace(from_prompt(prompt, self.model, store=self.store), progress=self.progress)
            for part, kept in ((inputs, scores), (blank, free)) if content_free else ((inputs, scores),):
                collected = labeler.collect(part)
                rounds = 2 if prompt.reasoning else 1
                kept_rows = len(set(part.digests)) - collected.asked
                cost = cost + Cost(collected.asked, kept_rows, rounds * collected.asked)
                kept.append(class_scores([Reading.from_item(item) for item in collected.items], prompt))
        if not any(score.known.any() for score in scores):
            raise LabelerError(
                f"{self.model.name} gave no answer that can be read on any of {len(inputs)} texts under any prompt;"
                " look at the answer words"
            )
        readings = gather_readings(
            self.prompts, scores, inputs, model=self.model.name, fingerprint=self.model.fingerprint,
            free=free or None, provenance=self.model.provenance,
        )  # fmt: skip
        return readings, cost + Cost(seconds=perf_counter() - start)


def _inputs_of(texts: Task | Pool | Inputs | Sequence[str]) -> Inputs:
    if isinstance(texts, str):
        raise DataError("one string was given for the texts; give a list of texts, a Task or a Pool")
    if isinstance(texts, Inputs):
        return texts
    return texts.inputs if isinstance(texts, Task | Pool) else Inputs.of(list(texts))


def _of_kind(inputs: Inputs, pairs: bool) -> Inputs:
    """The distinct rows of the kind that the prompts read, in order."""
    rows = {d: i for i, d in reversed(list(enumerate(inputs.digests))) if (inputs.pairs[i] is not None) == pairs}
    if not rows:
        kind, other = ("pairs", "single texts") if pairs else ("single texts", "pairs")
        raise DataError(
            f"the prompts ask about {kind}, and the {len(inputs)} rows given are {other}; give rows to match"
        )
    return inputs.take(sorted(rows.values()))
