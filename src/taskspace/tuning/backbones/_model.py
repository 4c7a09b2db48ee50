"""What all backbones are: a frozen model that is read through embeddings."""

from __future__ import annotations

import inspect
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.errors import SettingError, SurrogateError
from taskspace.tuning.backbones._batches import numbers, padded, positions
from taskspace.tuning.backbones._layers import run_twice
from taskspace.tuning.backbones._loading import table_fingerprint
from taskspace.tuning.identity import BackboneId

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from contextlib import AbstractContextManager

    from taskspace.tuning.backbones._backbone import Tuned
    from taskspace.tuning.backbones._loading import Loaded
    from taskspace.tuning.identity import BackboneKind
    from taskspace.tuning.parts._part import Tensor
    from taskspace.tuning.rows import Row


class Model:
    """A frozen model, its tokenizer, and how tuned parts get into its forward pass."""

    def __init__(self, loaded: Loaded, *, checkpointing: bool) -> None:
        self._located = loaded.located
        self.kind: BackboneKind = loaded.kind
        self.module: Any = loaded.module
        self.tokenizer: Any = loaded.tokenizer
        self.device = loaded.device
        self._around: Callable[[], AbstractContextManager[None]] = nullcontext
        if checkpointing and not run_twice(self.module, lambda: self._around):
            raise SurrogateError(f"{self.name} has no layers that can be checkpointed; load it without checkpointing")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def name(self) -> str:
        return self._located.name

    @property
    def identity(self) -> BackboneId:
        vocabulary = int(self._table.weight.shape[0])
        return BackboneId(self.name, self._located.revision, self.kind, self.width, vocabulary, self._fingerprint)

    @cached_property
    def _fingerprint(self) -> str:
        table = self._table.weight
        called = next(name for name, tensor in self.module.named_parameters() if tensor is table)
        return table_fingerprint(self._located, called, tuple(table.shape))

    @property
    def width(self) -> int:
        return int(self._table.weight.shape[1])

    @property
    def features(self) -> int:
        return self._features

    @cached_property
    def _features(self) -> int:
        """Found by reading one token, since configs tell it in many ways (ALBERT, ELECTRA, OPT)."""
        torch = require("torch", extra="embed", why="a backbone")
        token = torch.zeros((1, 1), dtype=torch.int64, device=self.device)
        embeds, mask = self._table(token), torch.ones_like(token)
        with torch.no_grad():
            if self.kind == "encoder-decoder":
                read = self.module.get_encoder()(inputs_embeds=embeds, attention_mask=mask)
            else:
                read = self.module.base_model(**self._read(embeds, mask))
        return int(read.last_hidden_state.shape[2])

    @property
    def embeddings(self) -> Tensor:
        """As the model reads them: scaled where it scales them (Gemma, BART)."""
        torch = require("torch", extra="embed", why="a backbone")
        if type(self._table).forward is torch.nn.Embedding.forward:
            return self._table.weight
        with torch.no_grad():
            return self._table(torch.arange(self._table.weight.shape[0], device=self.device))

    @property
    def _table(self) -> Any:
        return self.module.get_input_embeddings()

    @cached_property
    def _first_position(self) -> int:
        """RoBERTa and its kin count from the row after that of their padding."""
        named = (module for name, module in self.module.named_modules() if name.endswith("position_embeddings"))
        pads = (getattr(module, "padding_idx", None) for module in named)
        return next((pad + 1 for pad in pads if pad is not None), 0)

    @cached_property
    def _limit(self) -> int | None:
        """The longest sequence it has positions for; ``None`` where positions have no end, as in T5 or Bloom."""
        config = self.module.config.get_text_config()
        names = ("max_position_embeddings", "n_positions")
        if self.kind == "encoder-decoder":
            names = names[:1]  # the other is only how long the texts were that T5 was trained on
        if getattr(config, "alibi", False):
            return None
        said = (getattr(config, name, None) for name in names)
        return next((int(limit) - self._first_position for limit in said if isinstance(limit, int)), None)

    def require_room(self, tuned: Tuned, rows: Sequence[Row], written: Sequence[int]) -> None:
        """See :class:`Backbone`: the longest row alone is put behind what is tuned."""
        torch = require("torch", extra="embed", why="a backbone")
        behind = [count - 1 if self.kind == "decoder" else 0 for count in written]  # the last one is never read
        row, more = max(zip(rows, behind, strict=True), key=lambda each: len(each[0].ids) + each[1])
        ids, mask = padded([row.ids], self.device)
        with torch.no_grad():
            front, _ = tuned.part.enter(self._table(ids), mask, numbers([0], self.device))
        self._require_places(front.shape[1], len(row.ids), more)

    def _require_places(self, tuned: int, texts: int, written: int = 0) -> None:
        """Raise :class:`SettingError` where a batch is longer than the model has positions for."""
        longest = tuned + texts + written
        if self._limit is not None and longest > self._limit:
            raise SettingError(
                f"{tuned} tuned tokens, {texts} of the text and {written} to be written make {longest}, but"
                f" {self.name} has {self._limit} positions; shorten the prompt, or max_length to at most"
                f" {max(0, self._limit - tuned - written)}"
            )

    def _takes(self, name: str) -> bool:
        """Whether a pass through the model accepts this argument."""
        return name in self._accepted

    @cached_property
    def _accepted(self) -> frozenset[str]:
        return frozenset(inspect.signature(type(self.module).forward).parameters)

    def _read(self, embeds: Tensor, mask: Tensor) -> dict[str, Any]:
        """Inputs of one pass: positions are told wherever the model lets itself be told."""
        inputs: dict[str, Any] = {"inputs_embeds": embeds, "attention_mask": mask}
        if self._takes("position_ids"):
            inputs["position_ids"] = positions(mask, self._first_position)
        return inputs

    @contextmanager
    def _inside(self, tuned: Tuned, owners: Tensor) -> Generator[None]:
        """The part's own context; layers that are run again in the backward pass will open it once more."""
        self._around = lambda: tuned.part.inside(self, owners)
        try:
            with tuned.part.inside(self, owners):
                yield
        finally:
            self._around = nullcontext
