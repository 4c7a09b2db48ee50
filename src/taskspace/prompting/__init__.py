"""Choosing among prompts: what they said, the scores made of it, and how well the scores chose."""

from __future__ import annotations

from taskspace.prompting._calibration import CALIBRATIONS, Calibration, calibrate, cbm, cc, pmi_dc
from taskspace.prompting._choice import PromptChoice, PromptHit, cost_line, percent
from taskspace.prompting._choose import choose, choose_prompt, compare, require_method
from taskspace.prompting._duplicates import Alike, alike
from taskspace.prompting._ensembles import Ensemble, confidence, upper_cluster, zps
from taskspace.prompting._evaluation import Evaluation, FewLabels, accuracy, evaluate, few_labels, macro_f1, truth_of
from taskspace.prompting._gather import gather_readings, wording
from taskspace.prompting._readings import FREE_INPUTS, PromptReadings
from taskspace.prompting._scores import METHODS, ROW_METHODS, ChosenPerRow, Method, Scored, choose_per_row, score
from taskspace.prompting._study import Cost, PromptStudy, study_prompts
from taskspace.prompting._view import ABOUT

__all__ = [
    "ABOUT",
    "CALIBRATIONS",
    "FREE_INPUTS",
    "METHODS",
    "ROW_METHODS",
    "Alike",
    "Calibration",
    "ChosenPerRow",
    "Cost",
    "Ensemble",
    "Evaluation",
    "FewLabels",
    "Method",
    "PromptChoice",
    "PromptHit",
    "PromptReadings",
    "PromptStudy",
    "Scored",
    "accuracy",
    "alike",
    "calibrate",
    "cbm",
    "cc",
    "choose",
    "choose_per_row",
    "choose_prompt",
    "compare",
    "confidence",
    "cost_line",
    "evaluate",
    "few_labels",
    "gather_readings",
    "macro_f1",
    "percent",
    "pmi_dc",
    "require_method",
    "score",
    "study_prompts",
    "truth_of",
    "upper_cluster",
    "wording",
    "zps",
]
