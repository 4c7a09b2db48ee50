"""Soft prompts and the vectors between them: values, algebra, starts and files."""

from __future__ import annotations

from taskspace.prompting.soft import combine, inits
from taskspace.prompting.soft._prompt import SoftPrompt
from taskspace.prompting.soft._tables import Layout, same_backbone
from taskspace.prompting.soft._vector import PromptVector
from taskspace.prompting.soft.files import read_prompt, read_prompts, write_embeds, write_npy, write_peft

__all__ = [
    "Layout",
    "PromptVector",
    "SoftPrompt",
    "combine",
    "inits",
    "read_prompt",
    "read_prompts",
    "same_backbone",
    "write_embeds",
    "write_npy",
    "write_peft",
]
