"""Texts with what is to be written about them, in batches for a model that writes (teacher forcing)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.errors import SurrogateError
from taskspace.surrogates._batches import ROWS, STEP, tokenized, writable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from taskspace.surrogates._surrogate import Surrogate
    from taskspace.task import Inputs

_LOGITS = 2**26
"""Logits of one pass at most (256 MiB of float32), so that a large vocabulary makes batches smaller."""

_LEAD = "answer:"

SILENT = -100
"""Stands where nothing is to be said."""


@dataclass(frozen=True, eq=False)
class Written:
    """``rows`` of the texts given; ``tensors`` for the model, whose logits at each place are to say ``labels`` there.

    ``labels`` int64[rows, places], :data:`SILENT` where a place does not count.
    """

    rows: list[int]
    tensors: dict[str, Any]
    labels: Any


def written_batches(surrogate: Surrogate, inputs: Inputs, targets: Sequence[str]) -> Iterator[Written]:
    """An encoder-decoder reads the text and writes the target; a decoder writes it after the text and a space.

    A target ends with the tokenizer's end mark, and is cut from its end to ``max_length`` tokens (for a decoder, to
    half of them; its text gets what is left).  Raises :class:`SurrogateError` for a model that cannot write.
    """
    module = surrogate.writer
    encoded = tokenized(
        surrogate.tokenizer, surrogate.kind, inputs.texts, inputs.pairs, max_length=surrogate.max_length
    )
    texts, after = encoded["input_ids"], _target_ids(surrogate, targets)
    if surrogate.kind == "decoder":
        texts = [ids[: surrogate.max_length - len(target)] for ids, target in zip(texts, after, strict=True)]
    for rows in _alike(texts, after, module.config.get_text_config().vocab_size):
        chosen = [texts[i] for i in rows], [after[i] for i in rows]
        tensors, labels = _after(*chosen) if surrogate.kind == "decoder" else _beside(surrogate, *chosen)
        yield Written(rows, *_on(surrogate.device, tensors, labels))


def _target_ids(surrogate: Surrogate, targets: Sequence[str]) -> list[list[int]]:
    tokenizer, most = surrogate.tokenizer, surrogate.max_length
    texts = [writable(target, most) for target in targets]
    if surrogate.kind == "encoder-decoder":
        return [tokenizer(text_target=text, truncation=True, max_length=most)["input_ids"] for text in texts]
    end = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    room = max(1, most // 2) - len(end)
    return [ids[:room] + end for ids in _following(tokenizer, texts)]


def _following(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Ids of texts as they are cut after another text and a space, which some tokenizers put into the first token."""
    lead, *joint = ([*tokenizer(text, add_special_tokens=False)["input_ids"]] for text in (_LEAD, *_led(texts)))
    if all(ids[: len(lead)] == lead for ids in joint):
        return [ids[len(lead) :] for ids in joint]
    return [tokenizer(f" {text}", add_special_tokens=False)["input_ids"] for text in texts]


def _led(texts: Sequence[str]) -> list[str]:
    return [f"{_LEAD} {text}" for text in texts]


def _alike(texts: Sequence[list[int]], targets: Sequence[list[int]], vocabulary: int) -> Iterator[list[int]]:
    """Rows whose texts are about as long, and whose targets are too."""
    steps = [-(-len(ids) // STEP) for ids in texts]
    order = sorted(range(len(texts)), key=lambda i: (steps[i], len(targets[i])))
    while order:
        longest = steps[order[0]] * STEP + len(targets[order[0]])
        most = max(1, min(ROWS, _LOGITS // (vocabulary * longest)))
        rows = [i for i in order[:most] if steps[i] == steps[order[0]]]
        order = order[len(rows) :]
        yield rows


def _beside(
    surrogate: Surrogate, texts: list[list[int]], targets: list[list[int]]
) -> tuple[dict[str, list[list[int]]], list[list[int]]]:
    start = getattr(surrogate.module.config, "decoder_start_token_id", None)
    if start is None:
        start = getattr(surrogate.module.generation_config, "decoder_start_token_id", None)
    if start is None:
        raise SurrogateError(
            f"{surrogate.located.name} does not say its decoder_start_token_id; write it into its config.json"
        )
    shifted = [[int(start), *ids[:-1]] for ids in targets]
    tensors = {"input_ids": _full(texts, 0), "attention_mask": _mask(texts), "decoder_input_ids": _full(shifted, 0)}
    return tensors, _full(targets, SILENT)


def _after(texts: list[list[int]], targets: list[list[int]]) -> tuple[dict[str, list[list[int]]], list[list[int]]]:
    whole = [text + target for text, target in zip(texts, targets, strict=True)]
    labels = [[SILENT] * (len(text) - 1) + target + [SILENT] for text, target in zip(texts, targets, strict=True)]
    return {"input_ids": _full(whole, 0), "attention_mask": _mask(whole)}, _full(labels, SILENT)


def _full(rows: list[list[int]], filler: int) -> list[list[int]]:
    longest = max(map(len, rows))
    return [row + [filler] * (longest - len(row)) for row in rows]


def _mask(rows: list[list[int]]) -> list[list[int]]:
    return _full([[1] * len(row) for row in rows], 0)


def _on(device: str, tensors: dict[str, list[list[int]]], labels: list[list[int]]) -> tuple[dict[str, Any], Any]:
    torch = require("torch", extra="embed", why="a surrogate")
    made = {name: torch.tensor(rows, device=device) for name, rows in tensors.items()}
    return made, torch.tensor(labels, device=device)
