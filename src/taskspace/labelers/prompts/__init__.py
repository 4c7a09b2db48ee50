"""Prompts as values, files of prompts, and what a model's answer to a prompt amounts to."""

from __future__ import annotations

from taskspace.labelers.prompts._files import PromptFile, builtin_sets, read_prompts
from taskspace.labelers.prompts._labeler import Prompted, from_prompt
from taskspace.labelers.prompts._model import PromptModel
from taskspace.labelers.prompts._prompt import Example, Prompt
from taskspace.labelers.prompts._reading import LOW_COVERAGE, ClassScores, Reading, class_scores

__all__ = [
    "LOW_COVERAGE",
    "ClassScores",
    "Example",
    "Prompt",
    "PromptFile",
    "PromptModel",
    "Prompted",
    "Reading",
    "builtin_sets",
    "class_scores",
    "from_prompt",
    "read_prompts",
]
