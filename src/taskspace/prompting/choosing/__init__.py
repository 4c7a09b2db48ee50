"""Choosing among prompts: what they said, the scores made of it, and how well the scores chose."""

from __future__ import annotations

from taskspace.prompting.choosing._calibration import CALIBRATIONS, calibrate
from taskspace.prompting.choosing._choice import PromptChoice, PromptHit
from taskspace.prompting.choosing._choose import choose, choose_prompt, compare, require_method
from taskspace.prompting.choosing._duplicates import Alike
from taskspace.prompting.choosing._ensembles import zps
from taskspace.prompting.choosing._evaluation import Evaluation, accuracy, evaluate, few_labels, macro_f1, truth_of
from taskspace.prompting.choosing._gather import gather_readings
from taskspace.prompting.choosing._readings import PromptReadings
from taskspace.prompting.choosing._scores import METHODS, ROW_METHODS, choose_per_row, score
from taskspace.prompting.choosing._study import Cost, PromptStudy, study_prompts
from taskspace.prompting.choosing._view import ABOUT

__all__ = [
    "ABOUT",
    "CALIBRATIONS",
    "METHODS",
    "ROW_METHODS",
    "Alike",
    "Cost",
    "Evaluation",
    "PromptChoice",
    "PromptHit",
    "PromptReadings",
    "PromptStudy",
    "accuracy",
    "calibrate",
    "choose",
    "choose_per_row",
    "choose_prompt",
    "compare",
    "evaluate",
    "few_labels",
    "gather_readings",
    "macro_f1",
    "require_method",
    "score",
    "study_prompts",
    "truth_of",
    "zps",
]
