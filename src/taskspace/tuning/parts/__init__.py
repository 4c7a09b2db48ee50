"""Parts: what is tuned on a frozen backbone, K rows side by side."""

from __future__ import annotations

from taskspace.tuning.parts._head import Head
from taskspace.tuning.parts._part import Frozen, Part
from taskspace.tuning.parts.bitfit import BitFit
from taskspace.tuning.parts.decomposed import Decomposed
from taskspace.tuning.parts.factored import Factored
from taskspace.tuning.parts.lora import LoRA
from taskspace.tuning.parts.mixture import Mixture
from taskspace.tuning.parts.prefix import Prefixes
from taskspace.tuning.parts.prompt import Prompts

__all__ = [
    "PARTS",
    "BitFit",
    "Decomposed",
    "Factored",
    "Frozen",
    "Head",
    "LoRA",
    "Mixture",
    "Part",
    "Prefixes",
    "Prompts",
]

PARTS = {
    "prompt": Prompts,
    "prefix": Prefixes,
    "lora": LoRA,
    "bitfit": BitFit,
    "decomposed": Decomposed,
    "factored": Factored,
}
"""Parts by name that start from ``start(backbone, rows, seed=...)`` alone; a :class:`Mixture` also needs sources."""
