"""Transfer: what to start a new task from, when prompts for other tasks are at hand."""

from __future__ import annotations

from taskspace.prompting.transfer._methods import METHODS, start, transfer_bank
from taskspace.prompting.transfer._sources import MultitaskPrompt, Sources
from taskspace.prompting.transfer.forgetting import Forgetting, forget
from taskspace.prompting.transfer.multitask import multitask_prompt
from taskspace.prompting.transfer.scale import GRID, ScaleSearch, search_scale, search_scales
from taskspace.prompting.transfer.starts import retrieved

__all__ = [
    "GRID",
    "METHODS",
    "Forgetting",
    "MultitaskPrompt",
    "ScaleSearch",
    "Sources",
    "forget",
    "multitask_prompt",
    "retrieved",
    "search_scale",
    "search_scales",
    "start",
    "transfer_bank",
]
