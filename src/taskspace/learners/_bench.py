"""Where tasks are tuned: from their answers to the parameters that learned them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np

from taskspace.errors import DataError
from taskspace.learners._head import standardised
from taskspace.learners._learner import Ground, Learned
from taskspace.learners._noise import beyond_noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.learners._carriers import Numbers, State
    from taskspace.learners._evidence import Evidence
    from taskspace.learners.tuned import Tuned
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.bank import Bank
    from taskspace.tuning.parts import Part
    from taskspace.tuning.recipe import Recipe
    from taskspace.tuning.rows import Examples
    from taskspace.tuning.training import Outcome


@final
class Bench:
    """A learner at work in one space; the backbone is loaded when the first task comes."""

    def __init__(self, learner: Tuned, ground: Ground) -> None:
        self._learner = learner
        self._ground = ground

    def __call__(self, evidence: Evidence) -> Learned:
        return self.many([evidence])[0]

    def many(self, evidences: Sequence[Evidence]) -> list[Learned]:
        """One vector each; ``at_once`` tasks share their batches, and none of them knows of the others."""
        some = [self._checked(evidence) for evidence in evidences]
        learned = {row: self._silent(one) for row, one in enumerate(some) if not one.varies}
        for writes in (False, True):
            rows = [i for i, one in enumerate(some) if i not in learned and (one.kind == "targets") is writes]
            for start in range(0, len(rows), self._learner.at_once):
                part = rows[start : start + self._learner.at_once]
                learned |= dict(zip(part, self._tuned([some[i] for i in part]), strict=True))
        return [learned[row] for row in range(len(some))]

    @cached_property
    def _backbone(self) -> Backbone:
        from taskspace.tuning.backbones import load_backbone

        surrogate = self._ground.surrogate
        return load_backbone(surrogate.located.folder, device=surrogate.device, dtype="float32")

    @cached_property
    def _recipe(self) -> Recipe:
        from taskspace.tuning.recipe import Recipe

        learner, surrogate = self._learner, self._ground.surrogate
        in_front = learner.length if learner.carrier == "prompt" else 0
        room = surrogate.positions - in_front if surrogate.positions else surrogate.max_length
        return Recipe(
            steps=learner.steps, batch=learner.batch, rate=learner.rate or learner.how.rate,
            head_rate=learner.head_rate, warmup=min(max(1, learner.steps // 10), learner.steps - 1), decay=0.0,
            check=max(1, learner.steps // 4), max_length=max(8, min(surrogate.max_length, room)),
            seed=self._ground.seed,
        )  # fmt: skip

    def _checked(self, evidence: Evidence) -> Evidence:
        if len(evidence) < 2:
            raise DataError(f"{len(evidence)} distinct answered texts are too few to tune on; give at least two")
        if evidence.kind == "targets" and self._ground.surrogate.kind == "encoder":
            raise DataError(
                f"learner {self._learner.name!r} takes classes or numbers on an encoder, and these labels are texts;"
                " use learner='response', or a surrogate that writes"
            )
        return evidence.sample(self._learner.rows, self._ground.seed)

    def _tuned(self, evidences: Sequence[Evidence]) -> list[Learned]:
        from taskspace.tuning.training import Diverged, Job, train

        bank = self._bank(evidences)
        init = _state(bank.tuned.part, 0)
        jobs = [Job(_examples(evidence), seed=self._ground.seed) for evidence in evidences]
        try:
            outcomes = train(bank, jobs, self._recipe, progress=self._ground.progress)
        except Diverged as error:
            raise self._ran_away() from error
        found = [self._read(_state(bank.tuned.part, row), init) for row in range(len(evidences))]
        return [self._learned(*each) for each in zip(evidences, outcomes, found, strict=True)]

    def _bank(self, evidences: Sequence[Evidence]) -> Bank:
        """As many rows as tasks, all alike: a draw for the parameters, zeros for the heads."""
        from taskspace.tuning.bank import Bank
        from taskspace.tuning.parts import Head

        backbone, learner = self._backbone, self._learner
        part = learner.how.start(backbone, len(evidences), learner, self._ground.seed)
        if evidences[0].kind == "targets":
            return Bank(backbone, part)
        outputs = [evidence.values.shape[1] for evidence in evidences]
        head = Head(len(evidences), outputs, backbone.features, device=backbone.device)
        head.parameters["weight"].data.zero_()
        return Bank(backbone, part, head)

    def _read(self, tuned: State, init: State) -> Numbers:
        learner = self._learner
        return learner.how.read(tuned, init if learner.difference else None, learner, self._ground.seed)

    def _learned(self, evidence: Evidence, outcome: Outcome, numbers: Numbers) -> Learned:
        size, loss = float(np.linalg.norm(numbers)), outcome.training[-1][1]
        if not np.isfinite(size + loss):
            raise self._ran_away()
        telling = size > 0 and beyond_noise(self._ground.surrogate, evidence)
        report = {
            "rows": len(evidence), "steps": outcome.steps, "loss": round(loss, 4), "norm": round(size, 6),
            "informative": telling,
        }  # fmt: skip
        return Learned({self._learner.carrier: (numbers / (size or 1.0)).astype(np.float32)}, report)

    def _ran_away(self) -> DataError:
        return DataError(f"tuning ran away at rate={self._recipe.rate:g}; say a smaller rate")

    def _silent(self, evidence: Evidence) -> Learned:
        """Answers that never vary have nothing to be tuned for: a vector of zeros."""
        return Learned({self._learner.carrier: np.zeros(self._size, np.float32)}, {
            "rows": len(evidence), "steps": 0, "loss": 0.0, "norm": 0.0, "informative": False,
        })  # fmt: skip

    @cached_property
    def _size(self) -> int:
        start = _state(self._learner.how.start(self._backbone, 1, self._learner, self._ground.seed), 0)
        return len(self._read(start, start))


def _state(part: Part, row: int) -> State:
    return {name: tensor[row].detach().cpu().numpy().copy() for name, tensor in part.parameters.items()}


def _examples(evidence: Evidence) -> Examples:
    """As many rows as there are, each as often as its weight says: once where all weigh the same."""
    from taskspace.tuning.rows import Examples

    n = len(evidence)
    rows = np.searchsorted(np.cumsum(evidence.weights), (np.arange(n) + 0.5) / n).clip(max=n - 1)
    inputs = evidence.inputs.take(rows)
    if evidence.kind == "targets":
        return Examples(inputs, "targets", np.zeros((n, 0)), targets=_said(evidence, rows.tolist()))
    numbers = evidence.kind == "numbers"
    values = standardised(evidence.values, evidence.weights) if numbers else evidence.values
    return Examples(inputs, evidence.kind, values[rows])


def _said(evidence: Evidence, rows: Sequence[int]) -> tuple[str, ...]:
    """A target for each row; a text that comes again says its next one."""
    seen: dict[int, int] = {}
    said: list[str] = []
    for row in rows:
        texts = evidence.targets[row]
        said.append(texts[seen.get(row, 0) % len(texts)])
        seen[row] = seen.get(row, 0) + 1
    return tuple(said)
