"""The face that encoders, encoder-decoders and decoders show to what is tuned on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from taskspace.tuning.parts._part import Frozen, Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.tuning.identity import BackboneId
    from taskspace.tuning.parts._head import Head
    from taskspace.tuning.parts._part import Part
    from taskspace.tuning.rows import Examples, Row


@dataclass(frozen=True, eq=False)
class Tuned:
    """What is tuned: a part and, where classes have no words or labels are numbers, a head."""

    part: Part
    head: Head | None = None


@dataclass(frozen=True, eq=False)
class Pass:
    """One pass over n rows.

    ``losses`` float32[n]: summed over each row's :attr:`Row.count` terms.  ``logits`` float32[n, T, V] at the T target
    places of a language model, or [n, 1, C] over the answers of an encoder or a head (padded classes -inf);
    ``places`` bool[n, T] says which count.  ``hidden`` [n, L, d]: the last layer at the texts' own tokens.
    """

    losses: Tensor
    logits: Tensor
    places: Tensor
    hidden: Tensor


class Backbone(Frozen, Protocol):
    """One frozen model; the only place that runs its forward pass.

    The input is always ``[P; E(x)]`` as ``inputs_embeds`` with explicit mask and position ids; nothing is left to
    ``generate``.  Dropout is off.
    """

    @property
    def identity(self) -> BackboneId: ...

    @property
    def tokenizer(self) -> Any: ...

    @property
    def features(self) -> int:
        """Width of the states that heads read: in ALBERT, ELECTRA and others not that of the embeddings."""
        ...

    def require_room(self, tuned: Tuned, rows: Sequence[Row], written: Sequence[int]) -> None:
        """:class:`SettingError` where a row is too long to be read, what is tuned in front of it.

        ``written[i]``: tokens that follow row i, its end mark with them.
        """
        ...

    def prepare(self, examples: Examples, *, max_length: int) -> list[Row]:
        """Cut into tokens, once; texts longer than ``max_length`` tokens are cut from their end, targets never."""
        ...

    def run(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int]) -> Pass:
        """One differentiable pass; ``owners[i]`` is the bank row that row i belongs to."""
        ...

    def scores(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int]) -> Tensor:
        """float32[n, C] without gradient: log-probability of each answer as a whole (teacher forcing), over classes
        normalised for a head or an encoder; numbers as they are; -inf where a row has fewer answers.
        """
        ...

    def generate(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int], *, max_tokens: int) -> list[str]:
        """Greedy continuation of each row with its part in place; :class:`SettingError` for an encoder."""
        ...
