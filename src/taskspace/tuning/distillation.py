"""Distillation: what a bank learns also agrees with teachers that were tuned one by one (MPT)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.tuning.bank import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.tuning.backbones._backbone import Backbone, Pass, Tuned
    from taskspace.tuning.parts._part import Tensor
    from taskspace.tuning.rows import Row


@dataclass(frozen=True, eq=False)
class Distillation:
    """``weight`` · (KL(teacher ‖ student) at the target places + mean squared distance of the last hidden states).

    Bank row k of ``teacher`` teaches bank row k (Wang et al. 2023, MPT, equations 3 to 5).  As a bank's guide it is
    summed over a row's target places, as the loss is, so both are normalised alike.  The weight's default is the one
    that the authors' code is remembered to use; the paper's appendix has the final word.
    """

    backbone: Backbone
    teacher: Tuned
    weight: float = 0.9

    @property
    def settings(self) -> dict[str, Any]:
        """What decides how it pulls, as plain JSON."""
        part = self.teacher.part
        return {"weight": self.weight, "teacher": digest({**part.parameters, **part.shared}), **part.settings}

    def __call__(self, seen: Pass, rows: Sequence[Row], owners: Sequence[int]) -> Tensor:
        torch = require("torch", extra="embed", why="tuning")
        with torch.no_grad():
            taught = self.backbone.run(self.teacher, rows, owners)
        counts = seen.losses.new_tensor([row.count for row in rows])
        return self.weight * (_divergence(taught, seen) + counts * _distance(taught, seen, rows))


def _divergence(teacher: Pass, student: Pass) -> Tensor:
    """float[n]: KL of the answers, summed over target places; classes that a row does not have count nothing."""
    torch = require("torch", extra="embed", why="tuning")
    wanted = torch.log_softmax(teacher.logits.float(), dim=-1)
    given = torch.log_softmax(student.logits.float(), dim=-1)
    gap = torch.where(wanted > -torch.inf, wanted.exp() * (wanted - given), 0.0)
    return (gap.sum(-1) * teacher.places).sum(-1)


def _distance(teacher: Pass, student: Pass, rows: Sequence[Row]) -> Tensor:
    """float[n]: mean square over a row's own tokens and the width."""
    torch = require("torch", extra="embed", why="tuning")
    lengths = torch.tensor([len(row.ids) for row in rows], device=student.hidden.device)
    real = torch.arange(student.hidden.shape[1], device=lengths.device)[None] < lengths[:, None]
    squares = (teacher.hidden.float() - student.hidden.float()).square().mean(-1)
    return (squares * real).sum(-1) / lengths.clamp(min=1)
