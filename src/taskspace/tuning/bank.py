"""Bank: many tuned parts on one frozen backbone, in the same batches."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, final

import numpy as np

from taskspace._extras import require
from taskspace.errors import SettingError
from taskspace.tuning.backbones._backbone import Tuned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.backbones._backbone import Pass
    from taskspace.tuning.parts._head import Head
    from taskspace.tuning.parts._part import Part, Tensor
    from taskspace.tuning.rows import Examples, Row

Item: TypeAlias = "tuple[int, Row]"
"""A bank row and an example for it."""


_PASS = 16
"""To begin a pass costs about as much as one part in so many of a full one: measured with MiniLM on two cores."""


class Guide(Protocol):
    """What pulls on a pass beside its own loss, such as a teacher (MPT): float[n], summed as the losses are."""

    def __call__(self, seen: Pass, rows: Sequence[Row], owners: Sequence[int]) -> Tensor: ...


@final
class Bank:
    """K tuned parts of one kind, and maybe a head for each, on one frozen backbone.

    One batch may hold examples of any of them.  Each bank row's loss is normalised by its own examples, so that its
    gradient is what it would be alone.  Batches are cut into passes of at most ``tokens`` tokens of text and target,
    what is tuned in front of them not counted, rows of like length together: a further pass is begun where one more row
    would bring more padding than a pass costs.
    """

    def __init__(
        self,
        backbone: Backbone,
        part: Part,
        head: Head | None = None,
        *,
        guide: Guide | None = None,
        tokens: int | None = None,
    ) -> None:
        self.backbone = backbone
        self.tuned = Tuned(part, head)
        self.guide = guide
        self._tokens = tokens or (2048 if backbone.device == "cpu" else 32768)

    def __len__(self) -> int:
        return self.tuned.part.rows

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Leaf tensors [K, ...] by name: the part's, and the head's as ``head.NAME``."""
        head = {} if self.tuned.head is None else self.tuned.head.parameters
        return {**self.tuned.part.parameters, **{f"head.{name}": tensor for name, tensor in head.items()}}

    @property
    def shared(self) -> dict[str, Tensor]:
        """Leaf tensors [1, ...] that all rows train together."""
        return dict(self.tuned.part.shared)

    def state(self, row: int) -> dict[str, NDArray[np.float32]]:
        """A copy of one row's parameters."""
        return {name: tensor[row].detach().cpu().numpy().copy() for name, tensor in self.parameters.items()}

    def learn(self, batch: Mapping[int, Sequence[Row]]) -> dict[int, float]:
        """Add the gradient of each row's loss on its own examples; returns the losses (nats per target token or text).

        Summed over the bank, since what one row does has no bearing on another.
        """
        counts = {row: sum(example.count for example in examples) for row, examples in batch.items()}
        losses = dict.fromkeys(batch, 0.0)
        for part in self._passes([(row, example) for row, examples in batch.items() for example in examples]):
            owners, rows = [row for row, _ in part], [example for _, example in part]
            seen = self.backbone.run(self.tuned, rows, owners)
            each = seen.losses if self.guide is None else seen.losses + self.guide(seen, rows, owners)
            weights = each.new_tensor([1 / counts[row] for row in owners])
            (each * weights).sum().backward()
            for row, loss in zip(owners, (seen.losses.detach() * weights).tolist(), strict=True):
                losses[row] += loss
        return losses

    def losses(self, examples: Mapping[int, Sequence[Row]]) -> dict[int, float]:
        """Each row's mean loss on its own examples, without gradient."""
        torch = require("torch", extra="embed", why="tuning")
        items = [(row, example) for row, rows in examples.items() for example in rows]
        sums = dict.fromkeys(examples, 0.0)
        with torch.no_grad():
            for part in self._passes(items):
                seen = self.backbone.run(self.tuned, [example for _, example in part], [row for row, _ in part])
                for (row, _), loss in zip(part, seen.losses.tolist(), strict=True):
                    sums[row] += loss
        return {row: sums[row] / max(1, sum(e.count for e in rows)) for row, rows in examples.items()}

    def scores(self, examples: Examples, owners: Sequence[int], *, max_length: int) -> NDArray[np.float32]:
        """float32[len(owners), n, C]: log-probability of every answer, or the head's outputs, under each of the rows.

        All rows and texts go through the same passes: a grid of prompts costs no more calls than one.  C is that of
        the examples, whatever other rows' heads tell apart.  Raises :class:`SettingError` for a row that the bank
        does not have, a head with fewer outputs, a text too long for the backbone, and scores that are no numbers.
        """
        self.require_outputs(examples, owners)
        rows = self.prepare(examples, max_length=max_length)
        self.require_room(dict.fromkeys(owners, rows), lambda row: max(map(len, row.answers), default=1))
        items = [(owner, row) for owner in owners for row in rows]
        scored = np.full((len(items), max(examples.outputs, len(examples.answers))), -np.inf, dtype=np.float32)
        for places, part in self._placed(items):
            got = self.backbone.scores(self.tuned, [row for _, row in part], [owner for owner, _ in part])
            got = got[:, : scored.shape[1]].float().cpu().numpy()
            scored[places, : got.shape[1]] = got
        if np.isnan(scored).any():
            owner = items[int(np.isnan(scored).any(1).argmax())][0]
            raise SettingError(f"the scores of row {owner} are no numbers; train it again at a lower rate")
        return scored.reshape(len(owners), len(rows), -1)

    def generate(self, examples: Examples, owner: int, *, max_length: int, max_tokens: int) -> list[str]:
        """What the backbone writes after each text with one row's part in place, greedily."""
        self.require_outputs(examples, [owner])
        rows = self.prepare(examples, max_length=max_length)
        self.require_room({owner: rows}, lambda _: max_tokens)
        written = [""] * len(rows)
        for places, part in self._placed([(owner, row) for row in rows]):
            answers = self.backbone.generate(
                self.tuned, [row for _, row in part], [owner] * len(part), max_tokens=max_tokens
            )
            for place, answer in zip(places, answers, strict=True):
                written[place] = answer
        return written

    def prepare(self, examples: Examples, *, max_length: int) -> list[Row]:
        """Cut into tokens; raises :class:`SettingError` for labels that need a head where there is none."""
        if self.tuned.head is None and (examples.kind == "numbers" or not (examples.answers or examples.targets)):
            what = "numbers" if examples.kind == "numbers" else "classes without words"
            raise SettingError(f"the labels are {what}, which only a head can answer; give the bank a head")
        if self.tuned.head is not None:
            examples = replace(examples, answers=())
        return self.backbone.prepare(examples, max_length=max_length)

    def require_outputs(self, examples: Examples, owners: Sequence[int]) -> None:
        """:class:`SettingError` unless there are examples, and rows of this bank that can answer them."""
        if not len(examples):
            raise SettingError("there are no examples; give at least one")
        if not len(owners):
            raise SettingError("no rows of the bank are named; name at least one")
        for owner in owners:
            if not isinstance(owner, Integral) or not 0 <= owner < len(self):
                raise SettingError(f"the bank has no row {owner!r}; name rows from 0 to {len(self) - 1}")
            if self.tuned.head is not None and self.tuned.head.outputs[owner] < examples.outputs:
                few, many = self.tuned.head.outputs[owner], examples.outputs
                raise SettingError(
                    f"the head of row {owner} has {few} outputs where the labels need {many}; make another"
                )

    def require_room(self, rows: Mapping[int, Sequence[Row]], written: Callable[[Row], int] | None = None) -> None:
        """:class:`SettingError` where a text is too long for the backbone with what stands around it.

        ``written``: tokens that will be written after a text, by default those of its target.
        """
        texts = [row for each in rows.values() for row in each]
        self.backbone.require_room(self.tuned, texts, [(written or _count)(row) for row in texts])

    def _passes(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        for _, part in self._placed(items):
            yield part

    def _placed(self, items: Sequence[Item]) -> Iterator[tuple[list[int], list[Item]]]:
        """Items and their places, shortest first, as many at a time as can be read together without waste."""
        lengths = [row.length for _, row in items]
        chosen: list[int] = []
        read = 0
        for place in sorted(range(len(items)), key=lengths.__getitem__):
            longest = lengths[place]
            padding = longest * len(chosen) - read
            if chosen and (longest * (len(chosen) + 1) > self._tokens or padding > self._tokens // _PASS):
                yield chosen, [items[i] for i in chosen]
                chosen, read = [], 0
            chosen.append(place)
            read += longest
        if chosen:
            yield chosen, [items[i] for i in chosen]


def _count(row: Row) -> int:
    return row.count


def digest(parameters: Mapping[str, Tensor]) -> str:
    """SHA-256 of the tensors' names, shapes and numbers."""
    hasher = hashlib.sha256()
    for name, tensor in parameters.items():
        hasher.update(f"{name} {tuple(tensor.shape)}".encode() + tensor.detach().cpu().numpy().tobytes())
    return hasher.hexdigest()


def snapshot(parameters: Mapping[str, Tensor]) -> dict[str, Any]:
    """Copies of all tensors, without their history."""
    return {name: tensor.detach().clone() for name, tensor in parameters.items()}
