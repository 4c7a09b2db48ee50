"""What encoder-decoders and decoders share: rows with targets, and how answers are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import SettingError
from taskspace.tuning.backbones._tokens import require_distinct
from taskspace.tuning.rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from taskspace.tuning.backbones._tokens import Ids
    from taskspace.tuning.rows import Examples


def written_rows(
    examples: Examples, texts: Sequence[tuple[Ids, Ids]], say: Callable[[Sequence[str]], list[Ids]]
) -> list[Row]:
    """Texts with what should be said of them; ``say`` gives the tokens of targets and answers, end mark and all.

    Of classes with words the likeliest one is to be written: soft labels count as hard ones here.
    """
    answers = tuple(say(examples.answers))
    require_distinct(examples.answers, answers)
    if examples.kind == "targets":
        targets = say(examples.targets)
    elif examples.kind == "classes" and answers:
        targets = [answers[int(code)] for code in np.argmax(examples.values, axis=1)]
    else:
        targets = [()] * len(examples)
    return [
        Row(ids, types, examples.kind, values, examples.answers, answers, target)
        for (ids, types), values, target in zip(texts, examples.values, targets, strict=True)
    ]


def said(tokens: Sequence[Ids], texts: Sequence[str], end: Ids) -> list[Ids]:
    """The tokens with an end mark; :class:`SettingError` where nothing at all would be written."""
    for ids, text in zip(tokens, texts, strict=True):
        if not ids + end:
            raise SettingError(f"the target {text!r} has no tokens, and the model no end mark; give it a word")
    return [ids + end for ids in tokens]


def end_marks(module: Any, tokenizer: Any) -> tuple[Ids, frozenset[int]]:
    """The mark that ends a target (none, where the tokenizer has none), and all that end what is generated."""
    end = tokenizer.eos_token_id
    stated = getattr(module.generation_config, "eos_token_id", None)
    ends = [] if stated is None else [stated] if isinstance(stated, int) else list(stated)
    own = () if end is None else (int(end),)
    return own or tuple(ends[:1]), frozenset([*own, *ends])


def require_targets(rows: Sequence[Row]) -> None:
    """Raise :class:`SettingError` unless each row says what should be written."""
    if not all(row.target for row in rows):
        raise SettingError("rows of numbers, or of classes without words, need a head; tune one, or name the answers")


def require_answers(rows: Sequence[Row]) -> None:
    """Raise :class:`SettingError` unless each row has answers to choose among."""
    if not all(row.answers for row in rows):
        raise SettingError("rows of free text have no answers to be scored; generate instead, or name the answers")


def require_some(max_tokens: int) -> None:
    """Raise :class:`SettingError` unless something may be written."""
    if max_tokens < 1:
        raise SettingError(f"max_tokens={max_tokens} is less than 1; give a larger one")
