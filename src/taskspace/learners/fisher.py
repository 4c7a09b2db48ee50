"""``fisher``: TaskEmb, the diagonal Fisher information of the surrogate (Vu et al. 2020, section 4.2).

Per example, not the square of a batch's gradient; one block per linear layer.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from taskspace._extras import require
from taskspace.errors import DataError, SettingError
from taskspace.learners._curvature import full_diagonal, linear_layers, row_pooled, squared_gradients
from taskspace.learners._head import Head, Matrix, fit_head, standardised
from taskspace.learners._learner import Embed, Ground, Learned, require_at_least
from taskspace.learners._writing import writing_diagonal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from taskspace.learners._evidence import Evidence
    from taskspace.surrogates import Surrogate

_LABELS = ("empirical", "sampled", "exact")
_POOLINGS = ("rows", "full")

_FEW = 10
"""Up to so many classes a soft answer is summed over, at a backward pass each; beyond, one is drawn."""


@dataclass(frozen=True)
class Fisher:
    """Diagonal Fisher of the surrogate's linear layers under a fitted linear head, or of its own writing.

    Classes and numbers are told from the surrogate's mean last-layer state by a head that is fitted first; target
    texts are what an encoder-decoder or decoder writes itself (encoders refuse them).  The head is no part of the
    vector, nor are embeddings and the layer that gives logits over the vocabulary.

    ``labels``: ``"empirical"`` squares gradients of the given labels (soft answers are summed over, or
    drawn from where there are more than 10 classes), ``"sampled"`` of labels drawn from the model,
    ``"exact"`` sums over the model's classes (one backward pass each).  ``pooling``: ``"rows"`` sums
    over the inputs of each output unit, ``"full"`` keeps every weight and stores a count-sketch of
    ``sketch`` numbers per layer.  At most ``rows`` distinct texts are used, drawn by the space's seed.
    Blocks hold square roots, since Fisher entries are heavy-tailed.
    """

    name: ClassVar[str] = "fisher"
    needs_labels: ClassVar[bool] = True

    labels: str = "empirical"
    pooling: str = "rows"
    rows: int = 256
    sketch: int = 512

    def __post_init__(self) -> None:
        for field, known in (("labels", _LABELS), ("pooling", _POOLINGS)):
            if getattr(self, field) not in known:
                raise SettingError(f"fisher's {field}={getattr(self, field)!r} is not one of {', '.join(known)}")
        require_at_least(2, rows=self.rows)
        require_at_least(1, sketch=self.sketch)

    @property
    def settings(self) -> Mapping[str, Any]:
        sketch = {"sketch": self.sketch} if self.pooling == "full" else {}
        return {"labels": self.labels, "pooling": self.pooling, "rows": self.rows, **sketch}

    def bind(self, ground: Ground) -> Embed:
        def embed(evidence: Evidence) -> Learned:
            return _embed(self, ground, evidence)

        return embed


def _embed(learner: Fisher, ground: Ground, evidence: Evidence) -> Learned:
    some = evidence.sample(learner.rows, ground.seed)
    squares = _squares(learner, ground, some)
    # Where the answers never vary, what is left in the head is rounding.
    roots = {name: np.sqrt(square) * some.varies for name, square in squares.items()}
    if learner.pooling == "full":
        roots = {name: count_sketch(root.ravel(), learner.sketch, name, ground.seed) for name, root in roots.items()}
    size = float(np.sqrt(sum(float((root**2).sum()) for root in roots.values())))
    blocks = {name: (root / (size or 1.0)).astype(np.float32) for name, root in sorted(roots.items())}
    return Learned(blocks, {"rows": len(some), "informative": size > 0, "trace": size**2})


def _squares(learner: Fisher, ground: Ground, some: Evidence) -> dict[str, NDArray[np.float64]]:
    """Through a fitted head, or through the surrogate's own writing where the answers are texts."""
    surrogate = ground.surrogate
    how: dict[str, Any] = {
        "labels": learner.labels, "pooling": learner.pooling, "seed": ground.seed, "progress": ground.progress,
    }  # fmt: skip
    if some.kind == "targets":
        _require_writing(surrogate, learner.labels)
        return writing_diagonal(surrogate, some, **how)
    values = standardised(some.values, some.weights) if some.kind == "numbers" else some.values
    head = fit_head(_pooled(surrogate, some), values, some.weights, some.kind)
    squares = fisher_diagonal(surrogate, some, values, head, **how)
    return squares if surrogate.kind != "encoder-decoder" else _unmoved(surrogate, learner.pooling) | squares


def _require_writing(surrogate: Surrogate, labels: str) -> None:
    if surrogate.kind == "encoder":
        raise DataError("learner 'fisher' takes classes or numbers, and these labels are texts; use learner='response'")
    if labels == "exact":
        raise DataError("labels='exact' sums over all answers, and texts have no end of them; say empirical or sampled")


def _unmoved(surrogate: Surrogate, pooling: str) -> dict[str, NDArray[np.float64]]:
    """Zeros for every layer: a head on the encoder does not reach the decoder, and one space has one layout."""
    shapes = {name: tuple(layer.weight.shape) for name, layer in linear_layers(surrogate.module).items()}
    return {name: np.zeros(shape if pooling == "full" else shape[0]) for name, shape in shapes.items()}


def fisher_diagonal(
    surrogate: Surrogate,
    evidence: Evidence,
    values: Matrix,
    head: Head,
    *,
    labels: str,
    pooling: str,
    seed: int,
    progress: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Per linear layer Σ_i w_i Σ_y m_i(y) (∂ log p(y|x_i)/∂W)², with m_i as ``labels`` says.

    float64[out] with ``pooling="rows"`` (summed over a unit's inputs), float64[out, in] with ``"full"``.
    """
    torch = require("torch", extra="embed", why="learner 'fisher'")
    weight = torch.tensor(head.weight, dtype=torch.float32, device=surrogate.device)
    bias = torch.tensor(head.bias, dtype=torch.float32, device=surrogate.device)
    roots = torch.tensor(np.sqrt(evidence.weights), dtype=torch.float32, device=surrogate.device)
    draws = np.random.default_rng(seed).random(len(evidence))
    square = row_pooled if pooling == "rows" else full_diagonal
    with torch.enable_grad(), squared_gradients(surrogate.module, square) as sums:
        for rows, states in _states(surrogate, evidence, progress=progress):
            outputs = states @ weight.T + bias
            scores = _weighted_scores(torch, outputs, values[rows], draws[rows], head.kind, labels)
            for k, score in enumerate(scores):
                (score * roots[rows]).sum().backward(retain_graph=k + 1 < len(scores))
    return {name: total.double().cpu().numpy() for name, total in sums.items()}


def _weighted_scores(
    torch: Any, outputs: Any, values: Matrix, draws: NDArray[np.float64], kind: str, labels: str
) -> list[Any]:
    """Tensors [rows] whose squared gradients, added up, are the Fisher's contribution of each row."""
    if kind == "numbers":
        if labels != "empirical":  # E (y - f)(y - f)ᵀ = 1 under the model, so each number counts by itself
            return [outputs[:, c] for c in range(outputs.shape[1])]
        gap = torch.as_tensor(values, dtype=outputs.dtype, device=outputs.device) - outputs.detach()
        return [(gap * outputs).sum(dim=1)]
    log_p = torch.log_softmax(outputs, dim=1)
    p = log_p.detach().exp()
    if labels == "exact":
        return [p[:, c].sqrt() * log_p[:, c] for c in range(p.shape[1])]
    if labels == "empirical" and np.count_nonzero(values, axis=1).max() > 1 and values.shape[1] <= _FEW:
        given = torch.as_tensor(values, dtype=log_p.dtype, device=log_p.device)
        return [given[:, c].sqrt() * log_p[:, c] for c in range(given.shape[1])]
    chances = values if labels == "empirical" else p.double().cpu().numpy()
    drawn = torch.as_tensor(_draw(chances, draws), device=p.device)
    return [log_p.gather(1, drawn[:, None])[:, 0]]


def _draw(chances: Matrix, draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """One class per row by inverse transform; a hard label is always drawn."""
    steps = np.cumsum(chances, axis=1)
    return (draws[:, None] * steps[:, -1:] >= steps).sum(axis=1).clip(max=chances.shape[1] - 1)


def _states(surrogate: Surrogate, evidence: Evidence, *, progress: bool = False) -> Iterator[tuple[list[int], Any]]:
    """Mean last-layer states [rows, hidden] of each batch; a pair is read jointly, as in fine-tuning."""
    from tqdm.auto import tqdm

    inputs = evidence.inputs
    with tqdm(total=len(inputs), desc="fisher", unit="text", disable=not progress, leave=False) as bar:
        for rows, tensors in surrogate.batches(inputs.texts, inputs.pairs):
            yield rows, surrogate.pooled(tensors)[: len(rows)]
            bar.update(len(rows))


def _pooled(surrogate: Surrogate, evidence: Evidence) -> Matrix:
    """float64[n, hidden] for the head: from the feature cache for single texts, else by a forward pass."""
    if surrogate.reads_last_layer and not evidence.inputs.is_pair.any():
        return surrogate.last_layer(surrogate.features(evidence.inputs.texts)).astype(np.float64)
    torch = require("torch", extra="embed", why="learner 'fisher'")
    out = np.zeros((len(evidence), surrogate.hidden))
    with torch.inference_mode():
        for rows, states in _states(surrogate, evidence):
            out[rows] = states.double().cpu().numpy()
    return out


def count_sketch(values: NDArray[np.float64], size: int, name: str, seed: int) -> NDArray[np.float64]:
    """float64[size] whose inner products equal those of ``values`` in expectation (Charikar et al. 2002)."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    buckets = rng.integers(size, size=len(values))
    signs = rng.integers(2, size=len(values)) * 2.0 - 1.0
    return np.bincount(buckets, weights=signs * values, minlength=size).astype(np.float64)
