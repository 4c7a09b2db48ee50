"""The Fisher information of a model that writes: gradients of log p(target | text), by teacher forcing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.learners._curvature import full_diagonal, row_pooled, squared_gradients
from taskspace.surrogates import SILENT, written_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.learners._evidence import Evidence
    from taskspace.surrogates import Surrogate


def writing_diagonal(
    surrogate: Surrogate, evidence: Evidence, *, labels: str, pooling: str, seed: int, progress: bool = False
) -> dict[str, NDArray[np.float64]]:
    """Per linear layer Σ_i w_i (∂ Σ_t log p(y_t | x_i, target up to t) / ∂W)², squared after summing over the tokens.

    ``labels="empirical"`` takes y_t from the target.  ``"sampled"`` draws each y_t from the model's own p(· | …) at
    its place, while what stands before it stays the target's: the Fisher information of the next word where the data
    lead, in place of that of whole texts, whose beginnings the model would have to write itself.

    Shapes as for :func:`taskspace.learners.fisher.fisher_diagonal`.
    """
    from tqdm.auto import tqdm

    torch = require("torch", extra="embed", why="learner 'fisher'")
    module = surrogate.writer
    source, targets, weights = _pairs(evidence)
    roots = torch.tensor(np.sqrt(weights), dtype=torch.float32, device=surrogate.device)
    square = row_pooled if pooling == "rows" else full_diagonal
    bar = tqdm(total=len(targets), desc="fisher", unit="text", disable=not progress, leave=False)
    with bar, torch.enable_grad(), squared_gradients(module, square) as sums:
        for batch in written_batches(surrogate, evidence.inputs.take(source), targets):
            logits = module(**batch.tensors, use_cache=False).logits
            said = batch.labels != SILENT
            log_p = torch.log_softmax(logits[said].float(), dim=1)
            words = batch.labels[said]
            if labels == "sampled":
                words = _drawn(torch, log_p.detach(), _draws(batch.rows, said, seed))
            owners = said.nonzero()[:, 0]
            (log_p.gather(1, words[:, None])[:, 0] * roots[batch.rows][owners]).sum().backward()
            bar.update(len(batch.rows))
    return {name: total.double().cpu().numpy() for name, total in sums.items()}


def _pairs(evidence: Evidence) -> tuple[list[int], list[str], NDArray[np.float64]]:
    """Each input with each of its targets, and the weight of the pair; equal targets of an input count together."""
    made = [
        (row, text, evidence.weights[row] * count / len(texts))
        for row, texts in enumerate(evidence.targets)
        for text, count in sorted(Counter(texts).items())
    ]
    return [row for row, _, _ in made], [text for _, text, _ in made], np.array([weight for _, _, weight in made])


def _draws(rows: list[int], said: Any, seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each place, whichever texts it shares a batch with."""
    counts = said.sum(1).tolist()
    return np.concatenate([np.random.default_rng([seed, r]).random(n) for r, n in zip(rows, counts, strict=True)])


def _drawn(torch: Any, log_p: Any, draws: NDArray[np.float64]) -> Any:
    """A token per place by inverse transform."""
    steps = log_p.double().exp().cumsum(1)
    at = torch.as_tensor(draws, device=steps.device)[:, None] * steps[:, -1:]
    return torch.searchsorted(steps, at, right=True)[:, 0].clamp(max=steps.shape[1] - 1)
