"""Choosing among prompts without labels: a score per prompt, and how sure the choice is."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from taskspace.errors import SettingError, did_you_mean
from taskspace.prompting._calibration import CALIBRATIONS, calibrate
from taskspace.prompting._choice import PromptChoice, PromptHit, some
from taskspace.prompting._duplicates import alike
from taskspace.prompting._scores import METHODS, ROW_METHODS, choose_per_row, score
from taskspace.prompting._study import PromptStudy, study_prompts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from taskspace.labelers.prompts import Prompt, PromptModel
    from taskspace.labelers.store import AnswerStore
    from taskspace.prompting._study import Compared
    from taskspace.space import Space
    from taskspace.task import Inputs, Pool, Task

    Rows: TypeAlias = NDArray[np.int64] | None
    Scorer: TypeAlias = Callable[[Rows], NDArray[np.float64]]

FUTE = {
    "fute": "cosine of the prompt's embedding and the data set's (FUTE), blind to the order of the classes",
    "fute_signed": "agreement of the prompt's answers with the data set's, class by class (ours)",
}
ABOUT = {
    **{name: method.about for name, method in METHODS.items()},
    **{name: f"share of the texts given to the prompt: {method.about}" for name, method in ROW_METHODS.items()},
    **FUTE,
    "self_select": "minus the place in the model's own order of the prompts",
}
"""Every method by name, with what its score is; higher is preferred throughout."""

RESAMPLES = 100
FEW_TEXTS = 50
LOW_COVERAGE = 0.1


def choose_prompt(
    prompts: Sequence[Prompt],
    texts: Task | Pool | Inputs | Sequence[str],
    model: PromptModel,
    *,
    method: str = "mi",
    calibration: str = "none",
    like: Task | None = None,
    space: Space | None = None,
    store: AnswerStore | None = None,
    seed: int = 0,
    progress: bool = False,
) -> PromptChoice:
    """Order the prompts by how well they will answer, without labels.

    ``method`` is a name of :data:`ABOUT`; ``calibration`` one of ``none``, ``cc``, ``cbm``, ``pmi_dc``.  The
    methods ``fute`` and ``fute_signed`` compare with ``like``, a labelled data set of the same classes, on the
    texts or on the pool of ``space``.  To try several methods at the cost of one, make a
    :func:`study_prompts` and put :func:`choose` to it.

    Raises :class:`SettingError` for names or data that do not fit, :class:`LabelerError` when the model fails.
    """
    require_method(method, calibration, has_data=like is not None)
    study = study_prompts(
        prompts, texts, model, like=like if method in FUTE else None, space=space, store=store, progress=progress,
        content_free="free" in CALIBRATIONS[calibration].needs, ask_model=method == "self_select",
    )  # fmt: skip
    return choose(study, method, calibration, seed=seed)


def choose(study: PromptStudy, method: str, calibration: str = "none", *, seed: int = 0) -> PromptChoice:
    """Order the prompts of a study by one method; no call of the model.

    Raises :class:`SettingError` for unknown names, and where something that the method needs was not measured.
    """
    require_method(method, calibration, has_data=study.compared is not None)
    scorer, count = _scorer(study, method, calibration)
    once = np.unique(study.readings.twins)
    values = scorer(None)[once]
    sure = _firsts(scorer, once, count, seed) if count else np.full(len(once), np.nan)
    coverage = np.array([_median(row[known]) for row, known in _answered(study, once)])
    order = np.argsort(-values, kind="stable").tolist()
    hits = tuple(
        PromptHit(
            rank, study.readings.prompts[once[t]], float(values[t]), float(sure[t]), float(coverage[t]),
            study.prompts[once[t]],
        )
        for rank, t in enumerate(order, start=1)
    )  # fmt: skip
    measure = ABOUT[method] + (f", calibrated: {CALIBRATIONS[calibration].about}" if calibration != "none" else "")
    notes = _notes(study, hits, method)
    return PromptChoice(hits, method, calibration, measure, alike(study.readings), study.cost, study, notes)


def compare(study: PromptStudy, *, seed: int = 0) -> tuple[PromptChoice, ...]:
    """The choice of every method and calibration for which the study measured what it needs."""
    choices: list[PromptChoice] = []
    for method in ABOUT:
        for calibration in ("none",) if method in ("ppl", "ppl_i", "self_select") else CALIBRATIONS:
            try:
                choices.append(choose(study, method, calibration, seed=seed))
            except SettingError:  # not measured: text-only prompts, no data set to compare with, …
                continue
    return tuple(choices)


def _scorer(study: PromptStudy, method: str, calibration: str) -> tuple[Scorer, int]:
    """Scores float64[T] on some rows (``None``: all), and how many rows there are to draw from (0: it needs none)."""
    if method == "self_select":
        if study.own_order is None:
            raise SettingError("the model was not asked to order the prompts; make the study with ask_model=True")
        order = study.own_order[0]
        return lambda rows: order, 0
    if method in FUTE:
        if study.compared is None:
            raise SettingError(f"{method} compares with a data set; give one with like=")
        return _compared_scorer(study.compared, method, calibration), len(study.compared.readings.rows)

    def scored(rows: Rows) -> NDArray[np.float64]:
        readings = study.readings if rows is None else study.readings.take_rows(rows)
        if method in ROW_METHODS:
            return choose_per_row(readings, method, calibration).share
        return score(readings, method, calibration).values

    return scored, len(study.readings.rows)


def _compared_scorer(compared: Compared, method: str, calibration: str) -> Scorer:
    def scored(rows: Rows) -> NDArray[np.float64]:
        readings = compared.readings if rows is None else compared.readings.take_rows(rows)
        functions = compared.functions if rows is None else compared.functions.take(rows)
        measured = functions.cosines if method == "fute" else functions.signed
        return measured(calibrate(readings, calibration).probs, readings.known)

    return scored


def _firsts(scorer: Scorer, once: NDArray[np.int64], count: int, seed: int) -> NDArray[np.float64]:
    """The share of bootstrap draws of the rows in which each prompt comes first; equal firsts share a draw."""
    rng = np.random.default_rng(seed)
    wins = np.zeros(len(once))
    for _ in range(RESAMPLES):
        values = scorer(rng.integers(count, size=count))[once]
        first = values == values.max()
        wins += first / first.sum()
    return wins / RESAMPLES


def require_method(method: str, calibration: str, *, has_data: bool) -> None:
    """Raise :class:`SettingError` for names that do not exist, or a comparison without a data set."""
    if method not in ABOUT:
        raise SettingError(f"there is no method {method!r}{did_you_mean(method, ABOUT)}")
    if calibration not in CALIBRATIONS:
        raise SettingError(f"there is no calibration {calibration!r}{did_you_mean(calibration, CALIBRATIONS)}")
    if method in FUTE and not has_data:
        raise SettingError(f"{method} compares prompts with a labelled data set; give one of the same classes (like)")


def _notes(study: PromptStudy, hits: tuple[PromptHit, ...], method: str) -> tuple[str, ...]:
    readings = study.readings
    notes: list[str] = []
    if len(readings.rows) < FEW_TEXTS and method != "self_select":
        notes.append(f"only {len(readings.rows)} texts; a few hundred make the order steadier")
    thin = [hit.name for hit in hits if hit.coverage < LOW_COVERAGE]
    if thin:
        notes.append(f"the model seldom says any of the answers of {some(thin)}; other answer words may serve better")
    silent = {name: 1 - float(known.mean()) for name, known in zip(readings.prompts, readings.known, strict=True)}
    quiet = [name for name, share in silent.items() if share > 0]
    if quiet:
        worst = max(quiet, key=lambda name: silent[name])
        notes.append(f"no answer could be read on {silent[worst]:.0%} of the texts for {worst!r}; those are left out")
    if method == "self_select" and study.own_order and len(set(study.own_order[0].tolist())) == 1:
        notes.append("the model named no prompt, so all score alike and the order means nothing")
    return tuple(notes)


def _answered(study: PromptStudy, once: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    return zip(study.readings.coverage[once], study.readings.known[once], strict=True)


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if len(values) else 0.0
