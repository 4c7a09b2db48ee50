"""The Task Prompt Vectors study: its record of runs, and the statistics, tables, figures and report made of it."""

from __future__ import annotations

from taskspace.prompting.study.claims import Claim, claims, details
from taskspace.prompting.study.data import study_data
from taskspace.prompting.study.plan import Plan
from taskspace.prompting.study.prompts import TunedPrompt, read_prompts, save_prompt
from taskspace.prompting.study.report import write_report
from taskspace.prompting.study.running import run_study
from taskspace.prompting.study.runs import Run, append, read_runs
from taskspace.prompting.study.verdicts import Rules

__all__ = [
    "Claim",
    "Plan",
    "Rules",
    "Run",
    "TunedPrompt",
    "append",
    "claims",
    "details",
    "read_prompts",
    "read_runs",
    "run_study",
    "save_prompt",
    "study_data",
    "write_report",
]
