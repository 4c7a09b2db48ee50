"""A study seen through all of its rows, or through a bootstrap draw of them: every method's scores."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np

from taskspace.errors import SettingError
from taskspace.prompting.choosing._calibration import calibrate
from taskspace.prompting.choosing._scores import METHODS, ROW_METHODS, choose_per_row, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.prompting.choosing._answer_functions import AnswerFunctions
    from taskspace.prompting.choosing._readings import PromptReadings
    from taskspace.prompting.choosing._study import Compared, PromptStudy

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


def readings_for(study: PromptStudy, method: str) -> PromptReadings:
    """What a method looks at: the answers on the texts, or on the pool where prompts are compared on one."""
    return study.compared.readings if method in FUTE and study.compared is not None else study.readings


@final
class View:
    """What several methods need is computed once: so that all of them together cost little more than one.

    Prompts of one wording count once: the first stands for all, and only it is asked in an ensemble.
    ``rng`` draws the rows anew, with repeats; without it they are taken as they are.
    """

    def __init__(self, study: PromptStudy, rng: np.random.Generator | None = None) -> None:
        self._study = study
        self._once = np.unique(study.readings.twins)
        self._rows = _drawn(len(study.readings.rows), rng)
        pool = study.readings if study.compared is None else study.compared.readings
        self._pool_rows = self._rows if pool is study.readings else _drawn(len(pool.rows), rng)
        self._calibrated: dict[tuple[str, str], PromptReadings] = {}

    def values(self, method: str, calibration: str) -> NDArray[np.float64]:
        """float64[distinct prompts], higher is preferred.

        Raises :class:`SettingError` where something that the method needs was not measured.
        """
        if method == "self_select":
            if self._study.own_order is None:
                raise SettingError("the model was not asked to order the prompts; make the study with ask_model=True")
            return self._study.own_order[0][self._once]
        if method in FUTE:
            readings = self._read("pool", calibration)
            measured = self._functions.cosines if method == "fute" else self._functions.signed
            return measured(readings.probs, readings.known)
        if method in ROW_METHODS:
            return choose_per_row(self._read("texts", calibration), method).share
        return score(self._read("texts", calibration), method).values

    def _read(self, what: str, calibration: str) -> PromptReadings:
        key = (what, calibration)
        if key not in self._calibrated:
            plain = self._texts if what == "texts" else self._pool
            self._calibrated[key] = calibrate(plain, calibration)
        return self._calibrated[key]

    @cached_property
    def _texts(self) -> PromptReadings:
        readings = self._study.readings.take(self._once)
        return readings if self._rows is None else readings.take_rows(self._rows)

    @cached_property
    def _pool(self) -> PromptReadings:
        readings = self._compared.readings.take(self._once)
        return readings if self._pool_rows is None else readings.take_rows(self._pool_rows)

    @cached_property
    def _functions(self) -> AnswerFunctions:
        functions = self._compared.functions
        return functions if self._pool_rows is None else functions.take(self._pool_rows)

    @property
    def _compared(self) -> Compared:
        if self._study.compared is None:
            raise SettingError("fute compares with a data set, and the study has none; give one with like=")
        return self._study.compared


def _drawn(count: int, rng: np.random.Generator | None) -> NDArray[np.int64] | None:
    return None if rng is None else rng.integers(count, size=count)
