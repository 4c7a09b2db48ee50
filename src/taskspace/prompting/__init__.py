"""Prompts: choosing among written ones, and tuning, comparing and adding soft ones."""

from __future__ import annotations

from taskspace.prompting.bank import PromptBank
from taskspace.prompting.tune import tune_prompts, usual_recipe

__all__ = ["PromptBank", "tune_prompts", "usual_recipe"]
