"""Encoder-decoders: what is tuned stands in the encoder; the decoder writes the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from taskspace._extras import require
from taskspace.errors import SettingError, SurrogateError
from taskspace.tuning.backbones._answers import answer_losses, answer_scores, target_losses, written_scores
from taskspace.tuning.backbones._backbone import Pass
from taskspace.tuning.backbones._batches import mean_state, numbers, padded
from taskspace.tuning.backbones._decoding import greedy, size_per_row, taken
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
    from taskspace.tuning.parts._part import Tensor
    from taskspace.tuning.rows import Examples, Row


@dataclass(frozen=True, eq=False)
class _Encoded:
    """The encoder's last layer [n, m + L, d], its mask int64[n, m + L], and ``length`` m of what was put in front."""

    states: Tensor
    mask: Tensor
    length: int

    @property
    def texts(self) -> tuple[Tensor, Tensor]:
        """States and mask at the texts' own tokens."""
        return self.states[:, self.length :], self.mask[:, self.length :]

    def of(self, rows: Tensor) -> _Encoded:
        return _Encoded(self.states[rows], self.mask[rows], self.length)


@final
class EncoderDecoder(Model):
    """A model that reads a text and then writes another.

    A tuned head reads the mean state of the encoder at the text's own tokens; the decoder does not run then.
    """

    def __init__(self, loaded: Loaded, *, checkpointing: bool = False) -> None:
        super().__init__(loaded, checkpointing=checkpointing)
        self._wording = Wording(self.tokenizer)
        self._end, self._ends = end_marks(self.module, self.tokenizer)
        self._start = self._opening()

    def prepare(self, examples: Examples, *, max_length: int) -> list[Row]:
        require_room(max_length, sum(map(len, self._wording.edges)))
        return written_rows(examples, self._wording.whole(examples.inputs, max_length), self._said)

    def require_room(self, tuned: Tuned, rows: Sequence[Row], written: Sequence[int]) -> None:
        super().require_room(tuned, rows, written)
        if tuned.head is None:
            self._require_written(max(written))

    def run(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int]) -> Pass:
        owned = numbers(owners, self.device)
        if tuned.head is None:
            require_targets(rows)
        with self._inside(tuned, owned):
            encoded = self._encode(tuned, rows, owned)
            states, mask = encoded.texts
            hidden = states.masked_fill(mask.unsqueeze(2) == 0, 0)
            if tuned.head is not None:
                logits = tuned.head(mean_state(states, mask), owned)
                places = logits.new_ones((len(rows), 1), dtype=bool)
                return Pass(answer_losses(logits, rows), logits.unsqueeze(1), places, hidden)
            targets, places = padded([row.target for row in rows], self.device)
            self._require_written(targets.shape[1])
            logits = self._decode(encoded, self._behind_start(targets[:, :-1])).logits
        logits = logits[:, len(self._start) - 1 :].float()
        return Pass(target_losses(logits, targets, places), logits, places.bool(), hidden)

    def scores(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int]) -> Tensor:
        torch = require("torch", extra="embed", why="tuning")
        with torch.no_grad():
            if tuned.head is not None:
                return answer_scores(self.run(tuned, rows, owners).logits[:, 0], rows)
            require_answers(rows)
            owned = numbers(owners, self.device)
            longest = max(len(ids) for row in rows for ids in row.answers)
            encoded, begun = self._begin(tuned, rows, owned, longest)
            cache = begun.past_key_values

            def follow(row: Tensor, ids: Tensor, _mask: Tensor) -> Tensor:
                with self._inside(tuned, owned[row]):
                    return self._decode(encoded.of(row), ids, taken(cache, row)).logits

            return written_scores(rows, begun.logits[:, -1], follow, size_per_row(cache))

    def generate(self, tuned: Tuned, rows: Sequence[Row], owners: Sequence[int], *, max_tokens: int) -> list[str]:
        torch = require("torch", extra="embed", why="tuning")
        require_some(max_tokens)
        owned = numbers(owners, self.device)
        with torch.no_grad():
            encoded, begun = self._begin(tuned, rows, owned, max_tokens)

            def step(tokens: Tensor) -> Tensor:
                with self._inside(tuned, owned):
                    return self._decode(encoded, tokens, begun.past_key_values).logits[:, -1]

            written = greedy(begun.logits[:, -1], step, self._ends, max_tokens=max_tokens)
        return [self._wording.text(ids) for ids in written]

    def _encode(self, tuned: Tuned, rows: Sequence[Row], owners: Tensor) -> _Encoded:
        torch = require("torch", extra="embed", why="tuning")
        ids, mask = padded([row.ids for row in rows], self.device)
        front, embeds = tuned.part.enter(self._table(ids), mask, owners)
        self._require_places(front.shape[1], embeds.shape[1])
        mask = torch.cat([mask.new_ones(front.shape[:2]), mask], dim=1)
        encoder = self.module.get_encoder()
        states = encoder(inputs_embeds=torch.cat([front, embeds], dim=1), attention_mask=mask).last_hidden_state
        return _Encoded(states, mask, front.shape[1])

    def _begin(self, tuned: Tuned, rows: Sequence[Row], owners: Tensor, room: int) -> tuple[_Encoded, Any]:
        """The texts encoded, and the decoder's first step of ``room``, with its keys and values."""
        self._require_written(room)
        with self._inside(tuned, owners):
            encoded = self._encode(tuned, rows, owners)
            nothing = owners.new_zeros((len(rows), 0))
            return encoded, self._decode(encoded, self._behind_start(nothing), use_cache=True)

    def _decode(self, encoded: _Encoded, ids: Tensor, cache: Any = None, *, use_cache: bool = False) -> Any:
        """Padding is on the right: the decoder never looks there."""
        outputs = require("transformers.modeling_outputs", extra="embed", why="tuning")
        return self.module(
            encoder_outputs=outputs.BaseModelOutput(last_hidden_state=encoded.states),
            attention_mask=encoded.mask,
            decoder_input_ids=ids,
            past_key_values=cache,
            use_cache=use_cache or cache is not None,
        )

    def _require_written(self, tokens: int) -> None:
        """Raise :class:`SettingError` where the decoder has no positions for targets of so many tokens."""
        tokens += len(self._start) - 1
        if self._limit is not None and tokens > self._limit:
            raise SettingError(
                f"{tokens} tokens would be written with their marks, but {self.name} has {self._limit} positions for"
                " them; give shorter targets, or a smaller max_tokens"
            )

    def _behind_start(self, ids: Tensor) -> Tensor:
        torch = require("torch", extra="embed", why="tuning")
        return torch.cat([ids.new_tensor(self._start).expand(len(ids), -1), ids], dim=1)

    def _said(self, texts: Sequence[str]) -> list[Ids]:
        return said(self._wording.bare(texts), texts, self._end)

    def _opening(self) -> Ids:
        """What stands before every target: the token that the decoder starts from and, where the tokenizer opens
        each text with a mark, that mark, since the targets of BART are trained as ``</s> <s> text``.
        """
        for said_by in (self.module.generation_config, self.module.config):
            start = getattr(said_by, "decoder_start_token_id", None)
            if start is not None:
                marks = self._wording.edges[0]
                return (int(start), *(() if marks[-1:] == (start,) else marks))
        raise SurrogateError(f"{self.name} does not say its decoder_start_token_id; write it into its config.json")
