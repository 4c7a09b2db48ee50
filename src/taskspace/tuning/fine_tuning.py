"""The whole surrogate, tuned on a task: what "fine-tune the source, then the target" means when it is measured."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace._extras import require
from taskspace.errors import DataError, SettingError
from taskspace.tuning.lessons import Lesson, batches, lesson
from taskspace.tuning.training import Diverged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    from taskspace.surrogates import Surrogate
    from taskspace.task import Task
    from taskspace.tuning.rows import Examples

    State: TypeAlias = Mapping[str, NDArray[np.float32]]

_HEAD = "head."
"""Before the names of the head's tensors, beside those of the body."""


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How a model is fine-tuned: AdamW, a linear warm-up over ``warmup`` of the steps, then linearly down to 0.

    ``rate`` is the body's learning rate and ``head_rate`` the new head's, which starts from nothing.  With
    ``embeddings`` the token embeddings are tuned too: half of a small model's numbers, and few texts move them.
    """

    epochs: int = 5
    rate: float = 2e-4
    head_rate: float = 2e-3
    batch: int = 16
    warmup: float = 0.1
    decay: float = 0.01
    clip: float = 1.0
    embeddings: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}={getattr(self, name)} is too few; give at least 1")
        if not (self.rate > 0 and self.head_rate > 0 and 0 <= self.warmup < 1 and self.decay >= 0 and self.clip > 0):
            raise SettingError(f"{self} cannot be run; rates and clip are above 0, warmup is a share below 1")


@final
class FineTuned:
    """A copy of the surrogate with a linear head on its mean last state, [outputs, hidden]."""

    def __init__(self, surrogate: Surrogate, body: Any, head: Any) -> None:
        self.surrogate = surrogate
        self.body = body
        self.head = head

    @classmethod
    def of(cls, surrogate: Surrogate, state: State) -> FineTuned:
        """The model whose :meth:`state` this is; :class:`DataError` where it is that of another surrogate."""
        torch = require("torch", extra="embed", why="fine-tuning")
        learned = _part(state, head=True)
        if set(learned) != {"weight", "bias"}:
            raise DataError("the weights hold no head, so they cannot answer; give those of a model tuned here")
        sizes = surrogate.hidden, len(learned["bias"])
        head = torch.nn.utils.skip_init(torch.nn.Linear, *sizes, device=surrogate.device)
        _fill("a head here", head, learned)
        return _frozen(cls(surrogate, _body(surrogate, state), head))

    def logits(self, task: Task) -> NDArray[np.float32]:
        """float32[n, outputs], row by row as the task has them; of a model tuned on numbers, the numbers.

        Raises :class:`Diverged` where tuning has left a model that answers nothing.
        """
        torch = require("torch", extra="embed", why="fine-tuning")
        found = np.zeros((len(task), self.head.out_features), dtype=np.float32)
        with torch.inference_mode():
            for rows, tensors in self.surrogate.batches(task.inputs.texts, task.inputs.pairs):
                answers = self.head(self.surrogate.pooled(tensors, self.body))
                found[rows] = answers[: len(rows)].float().cpu().numpy()
        if not np.isfinite(found).all():
            raise Diverged(f"the tuned model answers task {task.name!r} with NaN; lower the learning rate")
        return found

    def state(self) -> dict[str, NDArray[np.float32]]:
        """The body's tensors that tuning changed, and the head's as ``head.weight`` and ``head.bias``.

        The first are what :func:`fine_tune` takes from a ``start``, both what :meth:`of` needs.
        """
        original = dict(self.surrogate.module.named_parameters())
        changed = {name: t for name, t in self.body.named_parameters() if not t.equal(original[name])}
        head = {_HEAD + name: tensor for name, tensor in self.head.named_parameters()}
        return {name: tensor.detach().cpu().numpy().copy() for name, tensor in (changed | head).items()}


def fine_tune(
    surrogate: Surrogate, task: Task | Examples, settings: FineTuning, *, seed: int, start: State | None = None
) -> FineTuned:
    """Fine-tune a copy of the surrogate on a task, from ``start`` (:meth:`FineTuned.state`) or from itself.

    Classes are learned by cross-entropy, also against probabilities where examples have such (distillation: Hinton et
    al. 2015 at temperature 1, the hard term left out); numbers by squared error of their z-scores.  The head is new: it
    begins at small random numbers (normal, 0.02) drawn from ``seed``, which also orders the rows.

    Raises :class:`DataError` where there is nothing to tell apart, :class:`Diverged` where the loss is no number.
    """
    torch = require("torch", extra="embed", why="fine-tuning")
    taught = lesson(task)
    body, device = _body(surrogate, start), surrogate.device
    with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
        torch.manual_seed(seed)  # the head and dropout
        tuned = FineTuned(surrogate, body, _new_head(surrogate, taught.outputs))
        _learn(tuned, taught, settings, seed)
    if taught.centre is not None and taught.spread is not None:
        _unstandardise(tuned.head, taught.centre, taught.spread)
    return _frozen(tuned)


def _learn(tuned: FineTuned, taught: Lesson, settings: FineTuning, seed: int) -> None:
    torch = require("torch", extra="embed", why="fine-tuning")
    functional = torch.nn.functional
    wrong = functional.mse_loss if taught.examples.kind == "numbers" else functional.cross_entropy
    optimizer, schedule = _optimizer(tuned, settings, settings.epochs * taught.steps(settings.batch))
    learned = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    tuned.body.train()
    for tensors, wanted in batches(tuned.surrogate, taught, epochs=settings.epochs, size=settings.batch, seed=seed):
        loss = wrong(tuned.head(tuned.surrogate.pooled(tensors, tuned.body)), wanted)
        loss.backward()
        size = torch.nn.utils.clip_grad_norm_(learned, settings.clip)
        if not (torch.isfinite(loss) and torch.isfinite(size)):
            raise Diverged(f"the loss on {taught.name} became {loss.item()}; lower the learning rate")
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def _body(surrogate: Surrogate, start: State | None) -> Any:
    """A copy of the surrogate's own module, with the tensors of ``start`` in their places."""
    body = copy.deepcopy(surrogate.module)
    if start is not None:
        _fill(surrogate.located.name, body, _part(start, head=False))
    return body


def _new_head(surrogate: Surrogate, outputs: int) -> Any:
    torch = require("torch", extra="embed", why="fine-tuning")
    head = torch.nn.Linear(surrogate.hidden, outputs)
    torch.nn.init.normal_(head.weight, std=0.02)
    torch.nn.init.zeros_(head.bias)
    return head.to(surrogate.device)  # drawn on the CPU, so that it is the same everywhere


def _part(state: State, *, head: bool) -> State:
    """The tensors of the head or of the body, by their names there."""
    own = {name: tensor for name, tensor in state.items() if name.startswith(_HEAD) is head}
    return {name.removeprefix(_HEAD) if head else name: tensor for name, tensor in own.items()}


def _fill(who: str, module: Any, state: State) -> None:
    torch = require("torch", extra="embed", why="fine-tuning")
    named = dict(module.named_parameters())
    for name, tensor in state.items():
        if name not in named or tuple(named[name].shape) != tensor.shape:
            has = f"has it as {list(named[name].shape)}" if name in named else "has no such tensor"
            raise DataError(
                f"the weights hold {name!r} of shape {list(tensor.shape)} and {who} {has}; "
                "give weights tuned from this model"
            )
        named[name].data.copy_(torch.from_numpy(np.array(tensor)))


def _unstandardise(head: Any, centre: NDArray[np.float64], spread: NDArray[np.float64]) -> None:
    """Let the head say the numbers themselves and not their z-scores."""
    torch = require("torch", extra="embed", why="fine-tuning")
    scale, shift = (torch.from_numpy(each).to(head.weight) for each in (spread, centre))
    head.weight.data.mul_(scale[:, None])
    head.bias.data.mul_(scale).add_(shift)


def _frozen(tuned: FineTuned) -> FineTuned:
    tuned.body.eval().requires_grad_(requires_grad=False)
    tuned.head.requires_grad_(requires_grad=False)
    return tuned


def _optimizer(tuned: FineTuned, settings: FineTuning, steps: int) -> tuple[Any, Any]:
    torch = require("torch", extra="embed", why="fine-tuning")
    tuned.body.requires_grad_(requires_grad=True)
    tuned.body.get_input_embeddings().requires_grad_(settings.embeddings)
    groups = [
        {"params": [p for p in tuned.body.parameters() if p.requires_grad], "lr": settings.rate},
        {"params": list(tuned.head.parameters()), "lr": settings.head_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.decay)
    warming = max(1, round(settings.warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warming, (steps - step) / max(1, steps - warming + 1))
    )
    return optimizer, schedule
