"""Choosing among prompts without labels: a score per prompt, and how sure the choice is."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import SettingError, did_you_mean
from taskspace.labelers.prompts import LOW_COVERAGE
from taskspace.prompting.choosing._calibration import CALIBRATIONS
from taskspace.prompting.choosing._choice import PromptChoice, PromptHit
from taskspace.prompting.choosing._duplicates import alike
from taskspace.prompting.choosing._readings import listed
from taskspace.prompting.choosing._study import PromptStudy, study_prompts
from taskspace.prompting.choosing._view import ABOUT, FUTE, View, readings_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.labelers.prompts import Prompt, PromptModel
    from taskspace.labelers.store import AnswerStore
    from taskspace.prompting.choosing._duplicates import Alike
    from taskspace.space import Space
    from taskspace.task import Inputs, Pool, Task

RESAMPLES = 100
_UNCALIBRATED = ("ppl", "ppl_i", "self_select")
"""Methods that look at no answers."""

FEW_TEXTS = 50


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
        content_free=CALIBRATIONS[calibration].content_free, ask_model=method == "self_select",
    )  # fmt: skip
    return choose(study, method, calibration, seed=seed)


def choose(study: PromptStudy, method: str, calibration: str = "none", *, seed: int = 0) -> PromptChoice:
    """Order the prompts of a study by one method; no call of the model.

    Raises :class:`SettingError` for unknown names, and where something that the method needs was not measured.
    """
    require_method(method, calibration, has_data=study.compared is not None)
    return _choices(study, {(method, calibration): View(study).values(method, calibration)}, seed)[0]


def compare(study: PromptStudy, *, seed: int = 0) -> tuple[PromptChoice, ...]:
    """The choice of every method and calibration for which the study measured what it needs."""
    whole = View(study)
    values: dict[tuple[str, str], NDArray[np.float64]] = {}
    for method in ABOUT:
        for calibration in ("none",) if method in _UNCALIBRATED else CALIBRATIONS:
            with contextlib.suppress(SettingError):  # not measured: text-only prompts, no data set to compare with, …
                values[method, calibration] = whole.values(method, calibration)
    return _choices(study, values, seed)


def _choices(
    study: PromptStudy, values: Mapping[tuple[str, str], NDArray[np.float64]], seed: int
) -> tuple[PromptChoice, ...]:
    """One choice for each method and calibration, from scores float64[distinct prompts] on all rows."""
    once = np.unique(study.readings.twins)
    shares = _first_places(study, list(values), len(once), seed)
    same = alike(study.readings)
    masses, known = study.readings.coverage, study.readings.known
    coverage = [_median(masses[t][known[t]]) for t in once]
    return tuple(_choice(study, *how, once, values[how], shares[how], coverage, same) for how in values)


def _choice(
    study: PromptStudy, method: str, calibration: str, once: NDArray[np.int64], values: NDArray[np.float64],
    sure: NDArray[np.float64], coverage: Sequence[float], same: tuple[Alike, ...],
) -> PromptChoice:  # fmt: skip
    prompts = [study.prompts[t] for t in once]
    hits = tuple(
        PromptHit(rank, prompts[t].name, float(values[t]), float(sure[t]), coverage[t], prompts[t])
        for rank, t in enumerate(np.argsort(-values, kind="stable"), start=1)
    )
    measure = ABOUT[method] + (f", calibrated: {CALIBRATIONS[calibration].about}" if calibration != "none" else "")
    return PromptChoice(hits, method, calibration, measure, same, study.cost, study, _notes(study, hits, method))


def _first_places(
    study: PromptStudy, hows: Sequence[tuple[str, str]], count: int, seed: int
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """The share of bootstrap draws of the rows in which each prompt comes first; equal firsts share a draw."""
    if seed < 0:
        raise SettingError(f"the seed is {seed}; give 0 or more")
    rng = np.random.default_rng(seed)
    wins = {how: np.zeros(count) for how in hows}
    for _ in range(RESAMPLES):
        view = View(study, rng)
        for how in hows:
            values = view.values(*how)
            first = values == values.max()
            wins[how] += first / first.sum()
    # The model's own order does not depend on the texts.
    return {how: np.where(how[0] == "self_select", np.nan, won / RESAMPLES) for how, won in wins.items()}


def require_method(method: str, calibration: str, *, has_data: bool) -> None:
    """Raise :class:`SettingError` for names that do not exist or go together, or a comparison without a data set."""
    if method not in ABOUT:
        raise SettingError(f"there is no method {method!r}{did_you_mean(method, ABOUT)}")
    if calibration not in CALIBRATIONS:
        raise SettingError(f"there is no calibration {calibration!r}{did_you_mean(calibration, CALIBRATIONS)}")
    if method in _UNCALIBRATED and calibration != "none":
        raise SettingError(f"{method} looks at no answers, so there is nothing to calibrate; leave {calibration} out")
    if method in FUTE and not has_data:
        raise SettingError(
            f"{method} compares prompts with a labelled data set; give one of the same classes (--like, like=)"
        )


def _notes(study: PromptStudy, hits: tuple[PromptHit, ...], method: str) -> tuple[str, ...]:
    readings = study.readings
    notes: list[str] = []
    texts = len(readings_for(study, method).rows)
    if texts < FEW_TEXTS and method != "self_select":
        notes.append(f"only {texts} text{'s' * (texts > 1)}; a few hundred make the order steadier")
    thin = [hit.name for hit in hits if hit.coverage < LOW_COVERAGE]
    if thin:
        notes.append(f"the model seldom says any of the answers of {listed(thin)}; other answer words may serve better")
    silent = {name: 1 - float(known.mean()) for name, known in zip(readings.prompts, readings.known, strict=True)}
    quiet = [name for name, share in silent.items() if share > 0]
    if quiet:
        worst = max(quiet, key=lambda name: silent[name])
        notes.append(f"no answer could be read on {silent[worst]:.0%} of the texts for {worst!r}; those are left out")
    if method in FUTE and study.compared is not None and not study.compared.functions.informative:
        data = study.compared.data
        notes.append(f"the labels of {data!r} cannot be told from noise on the base model, so the order means nothing")
    if method == "self_select" and study.own_order and len(set(study.own_order[0].tolist())) == 1:
        notes.append("the model named no prompt, so all score alike and the order means nothing")
    return tuple(notes)


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if len(values) else 0.0
