"""Texts, targets and answers in tokens."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, final

from taskspace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.task import Inputs

Ids: TypeAlias = tuple[int, ...]

_PROBE = "answer"
_LEAD = "answer:"

_LONGEST_WORD = 100
"""Characters per token allowed for before a text is cut, so that a text of megabytes costs no more than a page."""


@final
class Wording:
    """How one model's tokenizer writes; ``with_types`` where the model tells first from second text."""

    def __init__(self, tokenizer: Any, *, with_types: bool = False) -> None:
        tokenizer.truncation_side = "right"
        self.tokenizer = tokenizer
        self._with_types = with_types

    def whole(self, inputs: Inputs, max_length: int) -> list[tuple[Ids, Ids]]:
        """Ids and token types of texts that stand alone, special tokens and all, in ``max_length`` tokens at most.

        Of a pair the longer text is cut first.
        """
        rows: list[tuple[Ids, Ids]] = [((), ())] * len(inputs)
        for paired in (False, True):
            chosen = [i for i, pair in enumerate(inputs.pairs) if (pair is not None) is paired]
            if not chosen:
                continue
            columns = [[_writable(inputs.texts[i], max_length) for i in chosen]]
            if paired:
                columns.append([_writable(inputs.pairs[i] or "", max_length) for i in chosen])
            encoded = self.tokenizer(*columns, truncation=True, max_length=max_length, verbose=False)
            kinds = encoded.get("token_type_ids") if self._with_types else None
            for at, i in enumerate(chosen):
                rows[i] = tuple(encoded["input_ids"][at]), () if kinds is None else tuple(kinds[at])
        return rows

    def opened(self, inputs: Inputs, max_length: int) -> list[Ids]:
        """Ids of texts that are gone on with: begun as the tokenizer begins a text, never ended.

        The second text of a pair stands on a line of its own.
        """
        texts = ["\n".join(part for part in row if part) for row in zip(inputs.texts, inputs.pairs, strict=True)]
        before = self.edges[0] or self._anything
        bare = self.bare([_writable(text, max_length).rstrip() for text in texts])
        return [(self.edges[0] + ids)[:max_length] or before for ids in bare]

    def bare(self, texts: Sequence[str]) -> list[Ids]:
        """Ids without any special tokens."""
        if not texts:
            return []
        sayable = [text.encode("utf-8", "replace").decode() for text in texts]
        made = self.tokenizer(sayable, add_special_tokens=False, return_attention_mask=False, verbose=False)
        return [tuple(row) for row in made["input_ids"]]

    def following(self, texts: Sequence[str]) -> list[Ids]:
        """Ids of texts as they are cut after another text and a space."""
        lead, *joint = self.bare([_LEAD, *(f"{_LEAD} {text}" for text in texts)])
        if all(ids[: len(lead)] == lead for ids in joint):
            return [ids[len(lead) :] for ids in joint]
        return self.bare([f" {text}" for text in texts])

    def text(self, ids: Sequence[int]) -> str:
        """What tokens say, special ones left out."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True).strip()

    @cached_property
    def edges(self) -> tuple[Ids, Ids]:
        """The special tokens that the tokenizer puts before and after a text."""
        whole = tuple(self.tokenizer(_PROBE, verbose=False)["input_ids"])
        (inner,) = self.bare([_PROBE])
        at = next((i for i in range(len(whole)) if inner and whole[i : i + len(inner)] == inner), None)
        return ((), ()) if at is None else (whole[:at], whole[at + len(inner) :])

    @property
    def _anything(self) -> Ids:
        """For an empty text: something must stand before the first token that is told."""
        marks = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, 0)
        return (next(int(mark) for mark in marks if mark is not None),)


def require_room(max_length: int, taken: int) -> None:
    """Raise :class:`SettingError` unless ``max_length`` leaves a token for the text beside ``taken`` marks."""
    if max_length <= taken:
        raise SettingError(
            f"max_length={max_length} leaves no token for a text beside {taken} special ones; give at least {taken + 1}"
        )


def require_distinct(answers: Sequence[str], tokens: Sequence[Ids], *, first: bool = False) -> None:
    """Raise :class:`SettingError` where two answers are the same in tokens, or ``first`` in their first one."""
    seen: dict[Ids, str] = {}
    for answer, ids in zip(answers, tokens, strict=True):
        if not ids:
            raise SettingError(f"the answer {answer!r} has no tokens; give it a word")
        other = seen.setdefault(ids[:1] if first else ids, answer)
        if other != answer:
            same = "begin with the same token, which is all that is read of them" if first else "are the same tokens"
            raise SettingError(f"the answers {other!r} and {answer!r} {same}; give the classes other words, or a head")


def _writable(text: str, max_length: int) -> str:
    """Cut far behind what can be read; half characters (lone surrogates), which tokenizers refuse, become "?"."""
    return text[: max_length * _LONGEST_WORD].encode("utf-8", "replace").decode("utf-8")
