"""Decoders: what is tuned stands before the text, and the target after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, final

from taskspace._extras import require
from taskspace.errors import SurrogateError
from taskspace.tuning.backbones._answers import answer_losses, answer_scores, target_losses, written_scores
from taskspace.tuning.backbones._backbone import Pass
from taskspace.tuning.backbones._batches import joined, numbers, padded, positions
from taskspace.tuning.backbones._decoding import greedy, size_per_row, taken
from taskspace.tuning.backbones._layers import passing_on
from taskspace.tuning.backbones._model import Model
from taskspace.tuning.backbones._tokens import Wording, require_room
from taskspace.tuning.backbones._writer import (
    end_marks,
    require_answers,
    require_some,
    require_targets,
    said,
    written_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.tuning.backbones._backbone import Tuned
    from taskspace.tuning.backbones._loading import Loaded
    from taskspace.tuning.backbones._tokens import Ids
    from taskspace.tuning.parts._head import Head
    from taskspace.tuning.parts._part import Tensor
    from taskspace.tuning.rows import Examples, Row


@dataclass(frozen=True, eq=False)
class _Sequence:
    """What the model reads: [P; E(x); E(targets so far)].

    ``embeds`` [n, S, d] and ``mask`` int64[n, S]; ``front`` m tuned tokens stand first, then those of ``texts``
    int64[n, L], 1 where there is one.
    """

    embeds: Tensor
    mask: Tensor
    texts: Tensor
    front: int


@final
class Decoder(Model):
    """A model that reads from left to right and goes on.

    A tuned head reads the last layer at the text's last token.  Rows are padded on the right to be tuned on, and on
    the left to be gone on with; neither changes a number by more than rounding.
    """

    def __init__(self, loaded: Loaded, *, checkpointing: bool = False) -> None:
        super().__init__(loaded, checkpointing=checkpointing)
        if not (self._takes("past_key_values") and self._takes("attention_mask") and self._takes("inputs_embeds")):
            kind = self.module.config.model_type
            raise SurrogateError(f"{self.name} is a {kind}, which keeps no keys and values; give a transformer")
        self._wording = Wording(self.tokenizer)
        self._end, self._ends = end_marks(self.module, self.tokenizer)

    def prepare(self, examples: Examples, *, max_length: int) -> list[Row]:
        require_room(max_length, len(self._wording.edges[0]))
        texts = [(ids, ()) for ids in self._wording.opened(examples.inputs, max_length)]
        return written_rows(examples, texts, self._said)

    def run(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int]) -> Pass:
        owned = numbers(owners, self.device)
        if tuned.head is not None:
            return self._classified(tuned, tuned.head, rows, owned)
        require_targets(rows)
        targets, counted = padded([row.target for row in rows], self.device)
        read = self._sequence(tuned, rows, owned, "right", (targets[:, :-1], counted[:, 1:]))
        places = _last(read) + counted.cumsum(dim=1) - 1
        with self._inside(tuned, owned), passing_on(self.module.base_model, places) as seen:
            logits = self.module(**self._read(read.embeds, read.mask), use_cache=False).logits.float()
        return Pass(target_losses(logits, targets, counted), logits, counted.bool(), _texts(seen[0], read))

    def scores(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int]) -> Tensor:
        torch = require("torch", extra="embed", why="tuning")
        with torch.no_grad():
            if tuned.head is not None:
                return answer_scores(self.run(tuned, rows, owners).logits[:, 0], rows)
            require_answers(rows)
            owned = numbers(owners, self.device)
            room = [max(map(len, row.answers)) - 1 for row in rows]
            first, mask, cache = self._begin(tuned, rows, owned, room)

            def follow(row: Tensor, ids: Tensor, more: Tensor) -> Tensor:
                with self._inside(tuned, owned[row]):
                    return self._go_on(ids, torch.cat([mask[row], more], dim=1), taken(cache, row))

            return written_scores(rows, first, follow, size_per_row(cache))

    def generate(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int], *, max_tokens: int) -> list[str]:
        torch = require("torch", extra="embed", why="tuning")
        require_some(max_tokens)
        owned = numbers(owners, self.device)
        with torch.no_grad():
            first, mask, cache = self._begin(tuned, rows, owned, [max_tokens - 1] * len(rows))

            def step(tokens: Tensor) -> Tensor:
                nonlocal mask
                mask = torch.cat([mask, torch.ones_like(tokens)], dim=1)
                with self._inside(tuned, owned):
                    return self._go_on(tokens, mask, cache)[:, -1]

            written = greedy(first, step, self._ends, max_tokens=max_tokens)
        return [self._wording.text(ids) for ids in written]

    def _classified(self, tuned: Tuned, head: Head, rows: Sequence[Row], owners: Tensor) -> Pass:
        """The head on the text's last token: targets are not read."""
        read = self._sequence(tuned, rows, owners, "right")
        with self._inside(tuned, owners):
            states = self.module.base_model(**self._read(read.embeds, read.mask), use_cache=False).last_hidden_state
        logits = head(states.take_along_dim(_last(read).unsqueeze(2), dim=1)[:, 0], owners)
        places = logits.new_ones((len(rows), 1), dtype=bool)
        return Pass(answer_losses(logits, rows), logits.unsqueeze(1), places, _texts(states, read))

    def _sequence(
        self,
        tuned: Tuned,
        rows: Sequence[Row],
        owners: Tensor,
        side: Literal["left", "right"],
        more: tuple[Tensor, Tensor] | None = None,
        room: Sequence[int] = (),
    ) -> _Sequence:
        """``more``: further tokens int64[n, T] behind the texts, and which of them are there; ``room`` [n] for others.

        What is tuned sees the texts alone, so that it does the same when the target is not yet known.
        """
        ids, mask = padded([row.ids for row in rows], self.device)
        front, embeds = tuned.part.enter(self._table(ids), mask, owners)
        parts = [(front, mask.new_ones(front.shape[:2])), (embeds, mask)]
        texts, behind = [len(row.ids) for row in rows], [0] * len(rows)
        if more is not None:
            parts.append((self._table(more[0]), more[1]))
            behind = [len(row.target) - 1 for row in rows]
        text, written = max(zip(texts, room or behind, strict=True), key=sum)
        self._require_places(front.shape[1], text, written)
        longest = max(map(sum, zip(texts, behind, strict=True)))
        whole, seen = joined(parts, side, front.shape[1] + longest)
        return _Sequence(whole, seen, mask, front.shape[1])

    def _begin(
        self, tuned: Tuned, rows: Sequence[Row], owners: Tensor, room: Sequence[int]
    ) -> tuple[Tensor, Tensor, Any]:
        """The texts read, padded on the left: logits [n, V] of the next token, the mask, and keys and values.

        ``room``: how many tokens will be read after each of them.
        """
        read = self._sequence(tuned, rows, owners, "left", room=room)
        last = owners.new_full((len(rows), 1), read.mask.shape[1] - 1)
        with self._inside(tuned, owners), passing_on(self.module.base_model, last):
            output = self.module(**self._read(read.embeds, read.mask), use_cache=True)
        return output.logits[:, -1], read.mask, output.past_key_values

    def _go_on(self, ids: Tensor, mask: Tensor, cache: Any) -> Tensor:
        """Logits [n, T, V] after each of ``ids`` int64[n, T]; ``mask`` is that of all tokens so far, these too."""
        inputs = {"input_ids": ids, "attention_mask": mask, "past_key_values": cache, "use_cache": True}
        if self._takes("position_ids"):
            inputs["position_ids"] = positions(mask, self._first_position)[:, -ids.shape[1] :]
        return self.module(**inputs).logits

    def _said(self, texts: Sequence[str]) -> list[Ids]:
        return said(self._wording.following(texts), texts, self._end)


def _last(read: _Sequence) -> Tensor:
    """int64[n, 1]: where a right-padded row's text ends."""
    return read.front + read.texts.sum(dim=1, keepdim=True) - 1


def _texts(states: Tensor, read: _Sequence) -> Tensor:
    """The last layer at the texts' own tokens [n, L, d], zeros elsewhere, from right-padded states."""
    own = states[:, read.front : read.front + read.texts.shape[1]]
    return own.masked_fill(read.texts.unsqueeze(2) == 0, 0)
