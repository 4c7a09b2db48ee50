"""What a merged model is asked to do well: a loss as a function of its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from taskspace._extras import require
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Objective: TypeAlias = "Callable[[Mapping[str, Any]], Any]"
"""Weights by name, as tensors, to a loss: a tensor of no dimensions, lower is better."""

Kind: TypeAlias = Literal["labels", "entropy"]


def objective(model: Any, batches: Sequence[Mapping[str, Any]], kind: Kind = "labels") -> Objective:
    """The mean loss of ``model`` over all batches, with other weights put in its place.

    ``model`` is a torch module that is called with a batch's entries and answers with ``logits``; weights that are not
    given stay its own, so a head may differ from task to task.  ``labels``: cross-entropy to ``batch["labels"]``;
    ``entropy``: of the answers themselves, for rows without labels (AdaMerging, arXiv 2310.02575, equation 8).
    """
    if kind not in ("labels", "entropy"):
        raise SettingError(f"the loss is {kind!r}; say labels or entropy")
    if not batches:
        raise SettingError("no batch was given to fit on; give at least one")
    if kind == "labels" and any("labels" not in batch for batch in batches):
        raise SettingError("a batch has no labels; give them, or fit by entropy")
    torch = require("torch", extra="embed", why="fitting coefficients")
    model.eval()
    own = set(dict(model.named_parameters())) | set(dict(model.named_buffers()))

    def loss(weights: Mapping[str, Any]) -> Any:
        put = {name: value for name, value in weights.items() if name in own}
        losses = [_loss(torch, torch.func.functional_call(model, put, (), _inputs(b)).logits, b, kind) for b in batches]
        return torch.stack(losses).mean()

    return loss


def _inputs(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in batch.items() if key != "labels"}


def _loss(torch: Any, logits: Any, batch: Mapping[str, Any], kind: Kind) -> Any:
    if kind == "labels":
        return torch.nn.functional.cross_entropy(logits, batch["labels"])
    logs = logits.log_softmax(-1)
    return -(logs.exp() * logs).sum(-1).mean()
