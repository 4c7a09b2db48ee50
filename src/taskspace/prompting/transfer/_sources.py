"""What a new task may start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskspace.errors import PromptError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from taskspace.prompting.soft import SoftPrompt


@dataclass(frozen=True, eq=False)
class MultitaskPrompt:
    """MPT's first stage: ``prompt`` P* float32[m, d], and for each of T source tasks ``u`` [T, m] and ``v`` [T, d].

    Source task t's own prompt is P* ∘ (u_t v_tᵀ) (Wang et al. 2023, equation 1).
    """

    prompt: NDArray[np.float32]
    u: NDArray[np.float32]
    v: NDArray[np.float32]
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Sources:
    """An init, and what was tuned on other tasks.

    ``prompts`` are tuned on one source task each; ``mixture`` is one prompt tuned on all their rows together (SPoT);
    ``multitask`` is MPT's first stage.  A method takes what it needs and says what is missing.
    """

    init: SoftPrompt
    prompts: tuple[SoftPrompt, ...] = ()
    mixture: SoftPrompt | None = None
    multitask: MultitaskPrompt | None = None

    def require_prompts(self, method: str, least: int = 1) -> tuple[SoftPrompt, ...]:
        """The source prompts; :class:`PromptError` where there are fewer than ``least``."""
        if len(self.prompts) < least:
            raise PromptError(f"method {method!r} got {len(self.prompts)} source prompts; give at least {least}")
        return self.prompts
