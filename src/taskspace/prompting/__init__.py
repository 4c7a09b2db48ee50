"""Choosing among prompts: what they said, the scores made of it, and how well the scores chose."""

from __future__ import annotations

from taskspace.prompting._calibration import CALIBRATIONS, Calibration, calibrate, cbm, cc, pmi_dc
from taskspace.prompting._ensembles import Ensemble, confidence, upper_cluster, zps
from taskspace.prompting._evaluation import Evaluation, FewLabels, accuracy, evaluate, few_labels, macro_f1, truth_of
from taskspace.prompting._readings import FREE_INPUTS, PromptReadings, gather_readings, wording
from taskspace.prompting._scores import METHODS, ROW_METHODS, ChosenPerRow, Method, Scored, choose_per_row, score

__all__ = [
    "CALIBRATIONS",
    "FREE_INPUTS",
    "METHODS",
    "ROW_METHODS",
    "Calibration",
    "ChosenPerRow",
    "Ensemble",
    "Evaluation",
    "FewLabels",
    "Method",
    "PromptReadings",
    "Scored",
    "accuracy",
    "calibrate",
    "cbm",
    "cc",
    "choose_per_row",
    "confidence",
    "evaluate",
    "few_labels",
    "gather_readings",
    "macro_f1",
    "pmi_dc",
    "score",
    "truth_of",
    "upper_cluster",
    "wording",
    "zps",
]
