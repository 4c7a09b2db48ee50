"""What a merged model is asked to do well: a loss as a function of its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from taskspace._extras import require
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Objective: TypeAlias = "Callable[[Mapping[str, Any]], Any]"
"""Weights by name, as tensors, to a loss: a tensor of no dimensions, lower is better."""

Kind: TypeAlias = Literal["labels", "entropy", "own"]

KINDS: tuple[Kind, ...] = ("labels", "entropy", "own")


def objective(model: Any, batches: Sequence[Mapping[str, Any]], kind: Kind = "labels") -> Objective:
    """The mean loss of ``model`` over all batches, with other weights put in its place.

    ``model`` is a torch module that is called with a batch's entries and answers with ``logits``; weights that are not
    given stay its own, so a head may differ from task to task.  ``labels``: cross-entropy to ``batch["labels"]``;
    ``entropy``: of the answers themselves, for rows without labels (AdaMerging, arXiv 2310.02575, equation 8);
    ``own``: the ``loss`` that the model answers with.

    Raises :class:`SettingError` for another kind and batches without labels, and, when it is asked, where the model
    has no tensor of a name that is to be put in its place.
    """
    if kind not in KINDS:
        raise SettingError(f"the loss is {kind!r}; say {', '.join(KINDS)}")
    if not batches:
        raise SettingError("no batch was given to fit on; give at least one")
    if kind != "entropy" and any("labels" not in batch for batch in batches):
        raise SettingError("a batch has no labels; give them, or fit by entropy")
    torch = require("torch", extra="embed", why="fitting coefficients")
    model.eval()
    own = {*dict(model.named_parameters()), *dict(model.named_buffers())}

    def loss(weights: Mapping[str, Any]) -> Any:
        put = {_named(name, own, model): value for name, value in weights.items()}
        return torch.stack([_loss(torch, model, put, batch, kind) for batch in batches]).mean()

    return loss


def _named(name: str, own: set[str], model: Any) -> str:
    """The model's name of a tensor: a checkpoint without a head lacks the prefix that one with a head has."""
    below = f"{getattr(model, 'base_model_prefix', '')}.{name}"
    if name not in own and below not in own:
        raise SettingError(f"the model has no tensor {name!r}; give the model that the vectors were tuned from")
    return name if name in own else below


def _loss(torch: Any, model: Any, put: Mapping[str, Any], batch: Mapping[str, Any], kind: Kind) -> Any:
    given = {key: value for key, value in batch.items() if key != "labels" or kind == "own"}
    answer = torch.func.functional_call(model, dict(put), (), given)
    if kind == "own":
        return answer.loss
    if kind == "labels":
        return torch.nn.functional.cross_entropy(answer.logits, batch["labels"])
    logs = answer.logits.log_softmax(-1)
    return -(logs.exp() * logs).sum(-1).mean()
