"""A prompt as a value: a template, the words that stand for each label, and how their probabilities become classes."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from taskspace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.labelers._labeler import Reads

WordRule: TypeAlias = Literal["sum", "max"]
LengthRule: TypeAlias = Literal["none", "token"]

_SLOT = re.compile(r"\{(text|text_pair|labels)\}")


@dataclass(frozen=True)
class Example:
    """A solved row shown before the question; ``label`` is one of the prompt's."""

    text: str
    label: str
    text_pair: str | None = None


@dataclass(frozen=True)
class Prompt:
    """How one language model is asked for one label.

    ``template`` holds ``{text}``, and ``{text_pair}`` if it asks about pairs; ``{labels}`` lists the first
    answer string of each label ("good, bad or mixed"); other braces are text.
    ``answers`` maps each label to its answer strings, most usual first; the order of the labels is the
    order of the classes.  ``chat`` puts the filled template into a user's turn of the model's chat
    template, after ``system`` and a turn for each example; without it, ``system``, examples and question follow
    each other with ``separator`` between them.  ``reasoning`` (``"Think step by step."``) asks for thoughts of
    at most ``reasoning_tokens`` tokens first; the answer is then scored after them and ``conclusion``.

    How scores are made (no further call of the model is needed to change these two): ``words`` says whether
    the probabilities of a label's answer strings are added or the largest counts; ``length="token"`` takes
    the mean log-probability per token of an answer string.  ``with_end`` counts the end-of-text token
    as part of every answer string.

    Raises :class:`SettingError` for a template without ``{text}``, fewer than two labels, or an answer
    string that is empty or stands for two labels.
    """

    name: str
    template: str
    answers: Mapping[str, tuple[str, ...]]
    chat: bool = False
    system: str = ""
    examples: tuple[Example, ...] = ()
    separator: str = "\n\n"
    reasoning: str = ""
    reasoning_tokens: int = 256
    conclusion: str = "So the answer is"
    with_end: bool = False
    words: WordRule = "sum"
    length: LengthRule = "none"
    note: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        given = {str(label): (w,) if isinstance(w, str) else tuple(w) for label, w in self.answers.items()}
        object.__setattr__(self, "answers", given)
        _require_sound(self)

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in order."""
        return tuple(self.answers)

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """All answer strings, label by label."""
        return tuple(word for words in self.answers.values() for word in words)

    @cached_property
    def choices(self) -> str:
        """The labels as a sentence lists them, each by its first answer string."""
        *most, last = [words[0] for words in self.answers.values()]
        return f"{', '.join(most)} or {last}"

    @property
    def reads(self) -> Reads:
        return "pairs" if "{text_pair}" in self.template else "texts"

    @cached_property
    def key(self) -> str:
        """SHA-256 of all that decides what the model is asked; name, note and score rules do not count."""
        asked = {k: v for k, v in asdict(self).items() if k not in ("name", "note", "words", "length")}
        if not self.reasoning:
            asked = {k: v for k, v in asked.items() if k not in ("reasoning_tokens", "conclusion")}
        return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()

    def question(self, text: str, text_pair: str | None = None) -> str:
        """The template with a row in it; texts that hold braces stay as they are."""
        row = {"text": text, "text_pair": text_pair or "", "labels": self.choices}
        return _SLOT.sub(lambda slot: row[slot.group(1)], self.template)

    def shown(self) -> tuple[tuple[str, str], ...]:
        """The solved examples as (question, answer string)."""
        return tuple((self.question(e.text, e.text_pair), self.answers[e.label][0]) for e in self.examples)


def _require_sound(prompt: Prompt) -> None:
    if not prompt.name.strip():
        raise SettingError("a prompt has no name; give it one to be found by")
    who = f"prompt {prompt.name!r}"
    if "{text}" not in prompt.template:
        raise SettingError(f"{who} has no {{text}} in its template; say where the text stands")
    if len(prompt.answers) < 2:
        raise SettingError(f"{who} has {len(prompt.answers)} labels; give answers for at least two")
    owner: dict[str, str] = {}
    for label, words in prompt.answers.items():
        if not words or not all(word.strip() for word in words):
            raise SettingError(f"{who} has an empty answer for {label!r}; give at least one word and no empty ones")
        for word in words:
            if owner.setdefault(word.strip(), label) != label:
                raise SettingError(
                    f"{who} lets {word.strip()!r} stand for {owner[word.strip()]!r} and {label!r}; choose one"
                )
    if prompt.reads == "pairs" and any(e.text_pair is None for e in prompt.examples):
        raise SettingError(f"{who} asks about pairs, but an example has no text_pair; give it one")
    for example in prompt.examples:
        if example.label not in prompt.answers:
            raise SettingError(f"{who} has an example of {example.label!r}, which is none of its labels; mend it")
    if prompt.words not in ("sum", "max") or prompt.length not in ("none", "token"):
        raise SettingError(
            f"{who} says words={prompt.words!r}, length={prompt.length!r}; say sum or max, none or token"
        )
    if prompt.reasoning_tokens < 1:
        raise SettingError(f"{who} allows {prompt.reasoning_tokens} tokens of reasoning; allow at least one")
