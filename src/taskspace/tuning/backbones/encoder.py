"""Encoders: answers by the word at a mask, by likeness to the answers' embeddings, or by a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, final

import numpy as np

from taskspace._extras import require
from taskspace.errors import SettingError
from taskspace.task import Inputs
from taskspace.tuning.backbones._answers import answer_losses, answer_scores
from taskspace.tuning.backbones._backbone import Pass
from taskspace.tuning.backbones._bare import BARE
from taskspace.tuning.backbones._batches import mean_state, numbers, padded
from taskspace.tuning.backbones._layers import passing_on
from taskspace.tuning.backbones._model import Model
from taskspace.tuning.backbones._tokens import Wording, require_distinct, require_room
from taskspace.tuning.rows import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.tuning.backbones._backbone import Tuned
    from taskspace.tuning.backbones._loading import Loaded
    from taskspace.tuning.backbones._tokens import Ids
    from taskspace.tuning.parts._part import Tensor
    from taskspace.tuning.rows import Examples

_LONGEST_ANSWER = 64
"""Tokens of an answer that are read."""

_NONE = np.zeros(0)

_SCALE = 20.0
"""Of cosines, before the softmax: what sentence-transformers trains its encoders with."""


@dataclass(frozen=True, eq=False)
class _Batch:
    """int64[n, L], and ``owners`` int64[n]; ``types`` is ``None`` where the model has none."""

    ids: Tensor
    mask: Tensor
    types: Tensor | None
    owners: Tensor


@final
class Encoder(Model):
    """A model that reads in both directions.

    With a masked-LM head an answer's score is the logit of its first token at a mask token after the text; without
    one (sentence encoders) it is 20 times the cosine of the text's mean state and that of the answer, which is read
    alone, without anything tuned.  A tuned head reads the mean state at the text's own tokens instead.
    """

    def __init__(self, loaded: Loaded, *, checkpointing: bool = False) -> None:
        super().__init__(loaded, checkpointing=checkpointing)
        with_types = self._takes("token_type_ids") and getattr(self.module.config, "type_vocab_size", 0) > 1
        self._wording = Wording(self.tokenizer, with_types=with_types)
        self._mask_token = self.tokenizer.mask_token_id
        self._masks = loaded.masked and self._mask_token is not None
        self._known: dict[tuple[str, ...], Tensor] = {}

    def prepare(self, examples: Examples, *, max_length: int) -> list[Row]:
        """See :class:`Backbone`; where words are asked for at a mask, its token is counted."""
        if examples.kind == "targets":
            raise SettingError(
                f"{self.name} is an encoder and writes no targets; give classes or numbers, or a model that writes"
            )
        asks = self._masks and bool(examples.answers)
        before, after = self._wording.edges
        require_room(max_length, len(before) + len(after) + asks)
        answers = tuple(self._wording.following(examples.answers))
        require_distinct(examples.answers, answers, first=asks)
        texts = self._wording.whole(examples.inputs, max_length - asks)
        if asks:
            texts = [self._asked(ids, types, len(after)) for ids, types in texts]
        return [
            Row(ids, types, examples.kind, values, examples.answers, answers)
            for (ids, types), values in zip(texts, examples.values, strict=True)
        ]

    def run(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int]) -> Pass:
        states, logits, batch = self._logits(tuned, rows, owners)
        own = states.masked_fill(batch.mask.unsqueeze(2) == 0, 0)
        return Pass(
            losses=answer_losses(logits, rows),
            logits=logits.unsqueeze(1),
            places=logits.new_ones((len(rows), 1), dtype=bool),
            hidden=own,
        )

    def scores(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int]) -> Tensor:
        torch = require("torch", extra="embed", why="tuning")
        with torch.no_grad():
            return answer_scores(self._logits(tuned, rows, owners)[1], rows)

    def generate(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int], *, max_tokens: int) -> NoReturn:
        raise SettingError(f"{self.name} is an encoder and writes no text; give an encoder-decoder or a decoder")

    def _logits(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int]) -> tuple[Tensor, Tensor, _Batch]:
        """The texts' states [n, L, d], and float32[n, C] over the answers, -inf past a row's own."""
        batch = self._batch(rows, owners)
        if tuned.head is not None:
            states, _ = self._states(tuned, batch)
            own = batch.mask * (batch.ids != self._mask_token) if self._masks else batch.mask
            return states, tuned.head(mean_state(states, own), batch.owners), batch
        if any(not row.words or row.kind == "numbers" for row in rows):
            raise SettingError("rows of numbers, or of classes without words, need a head; tune one, or give words")
        if self._masks:
            states, vocabulary = self._states(tuned, batch, asking=True)
            return states, _of_answers(vocabulary.float(), [[ids[0] for ids in row.answers] for row in rows]), batch
        anchors = {words: self._anchors(words) for words in dict.fromkeys(row.words for row in rows)}
        states, _ = self._states(tuned, batch)
        return states, _cosines(mean_state(states, batch.mask), [row.words for row in rows], anchors), batch

    def _states(self, tuned: Tuned, batch: _Batch, *, asking: bool = False) -> tuple[Tensor, Tensor]:
        """The last layer at the texts' tokens [n, L, d]; if asked, logits [n, V] at the mask token, else none."""
        torch = require("torch", extra="embed", why="tuning")
        front, embeds = tuned.part.enter(self._table(batch.ids), batch.mask, batch.owners)
        length = front.shape[1]
        self._require_places(length, embeds.shape[1])
        mask = torch.cat([batch.mask.new_ones(front.shape[:2]), batch.mask], dim=1)
        inputs = self._read(torch.cat([front, embeds], dim=1), mask)
        if batch.types is not None:
            inputs["token_type_ids"] = torch.cat([batch.types.new_zeros(front.shape[:2]), batch.types], dim=1)
        with self._inside(tuned, batch.owners):
            if not asking:
                states = self.module.base_model(**inputs).last_hidden_state[:, length:]
                return states, states.new_zeros((len(states), 0))
            # The mask token is the last of a text but for the marks that end it.
            places = length + batch.mask.sum(dim=1, keepdim=True) - 1 - len(self._wording.edges[1])
            with passing_on(self.module.base_model, places) as seen:
                logits = self.module(**inputs).logits
            return seen[0][:, length:], logits[:, 0]

    def _batch(self, rows: Sequence[Row], owners: Sequence[int]) -> _Batch:
        ids, mask = padded([row.ids for row in rows], self.device)
        types = padded([row.types for row in rows], self.device)[0] if rows[0].types else None
        return _Batch(ids, mask, types, numbers(owners, self.device))

    def _asked(self, ids: Ids, types: Ids, after: int) -> tuple[Ids, Ids]:
        """A mask token between the text and the marks that end it."""
        at = len(ids) - after
        asked = ids[:at] + (self._mask_token,) + ids[at:]
        return asked, types[:at] + types[at - 1 : at] + types[at:]

    def _anchors(self, words: tuple[str, ...]) -> Tensor:
        """float32[C, d], of length 1: the answers as the backbone reads them when nothing is tuned; made once."""
        torch = require("torch", extra="embed", why="tuning")
        if words not in self._known:
            texts = self._wording.whole(Inputs.of(words), _LONGEST_ANSWER)
            batch = self._batch([Row(ids, types, "classes", _NONE) for ids, types in texts], [0] * len(words))
            with torch.no_grad():
                means = mean_state(self._states(BARE, batch)[0], batch.mask)
                self._known[words] = torch.nn.functional.normalize(means, dim=1)
        return self._known[words]


def _of_answers(logits: Tensor, columns: Sequence[Sequence[int]]) -> Tensor:
    """float32[n, C]: of each row of ``logits`` the columns that are its answers, -inf past them."""
    chosen, own = padded(columns, logits.device)
    return logits.gather(1, chosen).masked_fill(own == 0, -float("inf"))


def _cosines(features: Tensor, words: Sequence[tuple[str, ...]], anchors: dict[tuple[str, ...], Tensor]) -> Tensor:
    """float32[n, C]: scaled cosines of features float32[n, d] and the anchors of each row's own answers."""
    torch = require("torch", extra="embed", why="tuning")
    cosines = _SCALE * torch.nn.functional.normalize(features, dim=1) @ torch.cat(list(anchors.values())).T
    begins = dict(zip(anchors, np.cumsum([0, *map(len, anchors)]).tolist(), strict=False))
    return _of_answers(cosines, [range(begins[known], begins[known] + len(known)) for known in words])
