"""One pass through a language model, and the log-probabilities of chosen tokens at chosen places."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from taskspace._extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Place: TypeAlias = tuple[int, int, int]
"""Row, column, and a token whose probability to come next is wanted there."""

_LOGITS = 2**28
"""Logits of one pass at most (1 GiB of float32), so that a large vocabulary makes batches smaller."""

_EXACT = 2**24
"""Logits held in float32 at a time while they are normalised."""


def affordable(module: Any, batch_tokens: int) -> int:
    """``batch_tokens``, or fewer where the vocabulary is large."""
    vocabulary = int(module.config.get_text_config().vocab_size)
    return max(1, min(batch_tokens, _LOGITS // vocabulary))


def log_probs(module: Any, wanted: Sequence[Place], **inputs: Any) -> NDArray[np.float64]:
    """float64[len(wanted)] in nats: the pass runs on ``inputs``, and only what is wanted is normalised."""
    torch = require("torch", extra="embed", why="a language model")
    if not wanted:
        _run(module, torch.tensor([0], device=module.device), inputs)
        return np.zeros(0)
    rows, columns, tokens = torch.tensor(wanted, device=module.device).unbind(1)
    kept, among = torch.unique(columns, return_inverse=True)
    logits = _run(module, kept, inputs)
    width = logits.shape[1]
    flat = logits.reshape(-1, logits.shape[2])
    places = rows * width + (among if width == len(kept) else columns)
    distinct, which = torch.unique(places, return_inverse=True)
    parts = distinct.split(max(1, _EXACT // flat.shape[1]))
    norms = torch.cat([torch.logsumexp(flat[part].float(), dim=1) for part in parts])
    values = flat[places, tokens].float() - norms[which]
    return values.double().cpu().numpy()


def takes(module: Any, *names: str) -> bool:
    """Whether a pass through the model accepts all these arguments."""
    return set(names) <= _parameters(type(module))


def _run(module: Any, kept: Any, inputs: dict[str, Any]) -> Any:
    """Logits [rows, kept, vocabulary], or of all columns where the model cannot leave any out."""
    if takes(module, "logits_to_keep"):
        inputs = {**inputs, "logits_to_keep": kept}
    return module(**{name: value for name, value in inputs.items() if takes(module, name)}).logits


@lru_cache(maxsize=64)
def _parameters(kind: type) -> frozenset[str]:
    return frozenset(inspect.signature(kind.forward).parameters)  # pyright: ignore[reportAttributeAccessIssue] # any torch module has it
