"""How the rows of a task are put to a language model, and by which words it answers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from taskspace.errors import DataError, SettingError, did_you_mean
from taskspace.tuning._wordings import Wording, known_wording

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.task import Task

Style: TypeAlias = Literal["t5", "instruct"]

_SLOT = re.compile(r"\{(\w+)\}")
_ORDER = ("text", "text_pair", "labels")
_CLASSIFY = "Classify the {what} into labels: {{labels}}. Reply only the corresponding label."
_RATE = "Rate the {what} with a number. Reply only the number."


@dataclass(frozen=True)
class Verbaliser:
    """How one task is put to a language model, for training and test alike.

    ``template`` words a single text and ``pair`` a row of two; an empty one words none.  ``{text}``, ``{text_pair}``
    and ``{labels}`` (all answers, with commas) stand for what they say; other braces are text.  ``answers`` maps each
    class to the word that is said for it.  Numbers are written in steps of ``1 / steps``: the default gives
    ``"3.8"`` for 3.75 as T5 does (STS-B); ``answers`` are then all numbers that may be said, or empty for any.

    Raises :class:`SettingError` for an unknown placeholder, a template without its text, and answers that are empty
    or stand for two classes.
    """

    template: str = ""
    pair: str = ""
    answers: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    steps: int = 5

    def __post_init__(self) -> None:
        object.__setattr__(self, "answers", dict(self.answers))
        for template, texts in ((self.template, {"text"}), (self.pair, {"text", "text_pair"})):
            if template:
                _require_slots(template, texts, self.answers)
        require_distinct(self.answers)
        _decimals(self.steps)

    @classmethod
    def of(
        cls,
        task: Task,
        *,
        style: Style = "t5",
        template: str | None = None,
        words: Mapping[str, str] | None = None,
        steps: int = 5,
    ) -> Verbaliser:
        """The built-in wording of a task that is known by its name, else its name, ``sentence:`` and the text.

        ``style="t5"`` is T5's multi-task form ("rte sentence1: … sentence2: …"), ``"instruct"`` a user's turn for chat
        models ("Classify the … into labels: …").  ``template`` takes their place; with ``{text_pair}`` in it, it words
        pairs.  ``words`` gives the word of each class; without it, known tasks have those that published prompts were
        tuned with, and others their class names, underscores as spaces.

        Raises :class:`SettingError` as the class does, and for a class without a word.
        """
        known = known_wording(task.name) or Wording(re.sub(r"[{}]", "", task.name))
        answers = _answers(task, known, words, style)
        if template is None:
            return cls(*_templates(task, known, style), answers, steps)
        if not template:
            raise SettingError("the template is empty; write one with {text} in it")
        one, two = ("", template) if "{text_pair}" in template else (template, "")
        return cls(one, two, answers, steps)

    def ask(self, text: str, text_pair: str | None = None) -> str:
        """A row in its template; braces in the row stay as they are.

        Raises :class:`DataError` for a row that there is no template for.
        """
        template = self.template if text_pair is None else self.pair
        if not template:
            seen, other = ("one text", "two") if text_pair is None else ("two texts", "one")
            raise DataError(f"a row has {seen} ({text[:40]!r}), but the template is for {other}; give one for it too")
        row = {"text": text, "text_pair": text_pair or "", "labels": ", ".join(self.answers.values())}
        return _SLOT.sub(lambda slot: row[slot[1]], template)

    def written(self, number: float) -> str:
        """A number as target text, at the nearest step (Raffel et al. 2020, without rounding twice)."""
        return f"{round(number * self.steps) / self.steps + 0.0:.{_decimals(self.steps)}f}"


def number_of(said: str, *, otherwise: float = -1.0) -> float:
    """The number that was written, or ``otherwise`` (T5's stand-in, below all STS-B scores) if it is none."""
    try:
        number = float(said)
    except ValueError:
        return otherwise
    return number if math.isfinite(number) else otherwise


def class_words(task: Task, words: Mapping[str, str] | None) -> dict[str, str]:
    """Each class of the task with its word, or with its name where there are none; words of other classes do not count.

    Raises :class:`SettingError` for a class without a word, and for labels that are no classes.
    """
    if words is None:
        return {name: name.replace("_", " ") for name in task.label_names}
    if task.kind != "classes":
        raise SettingError(f"the labels of task {task.name!r} are {task.kind}, which take no label words; give none")
    for name in task.label_names:
        if name not in words:
            raise SettingError(f"there is no word for class {name!r}{did_you_mean(name, words) or '; give it one'}")
    return {name: words[name] for name in task.label_names}


def require_distinct(answers: Mapping[str, str]) -> None:
    """Raise :class:`SettingError` for a word that is empty or stands for two classes, case and spaces aside."""
    owner: dict[str, str] = {}
    for name, word in answers.items():
        plain = _folded(word)
        if not plain:
            raise SettingError(f"the word for class {name!r} is empty; give one that can be said")
        if owner.setdefault(plain, name) != name:
            raise SettingError(f"classes {owner[plain]!r} and {name!r} have the same word {word!r}; give each its own")


def _answers(task: Task, known: Wording, words: Mapping[str, str] | None, style: Style) -> dict[str, str]:
    """The word of each class, or the numbers that may be said."""
    if words is not None or task.kind == "targets":
        return class_words(task, words)
    if task.kind == "numbers":
        return {number: number for number in known.numbers}
    published = known.words_of(task.label_names)
    if published is None:
        return class_words(task, None)
    return {name: word.replace("_", " ") if style == "instruct" else word for name, word in published.items()}


def _templates(task: Task, known: Wording, style: Style) -> tuple[str, str]:
    if style not in ("t5", "instruct"):
        raise SettingError(f"style {style!r} is not known; say 't5' or 'instruct'")
    if style == "t5":
        return known.t5()
    if task.kind == "targets":  # free text: the row itself is the request
        return "{text}", "{text}\n{text_pair}"
    return known.instruct(_RATE if task.kind == "numbers" and not known.numbers else _CLASSIFY)


def _require_slots(template: str, texts: set[str], answers: Mapping[str, str]) -> None:
    found = set(_SLOT.findall(template))
    allowed = texts | {"labels"}
    for name in sorted(found - allowed):
        raise SettingError(f"the template has the placeholder {{{name}}}; it can hold {_listed(allowed)}")
    for name in sorted(texts - found):
        raise SettingError(f"the template has no {{{name}}}; say where it stands")
    if "labels" in found and not answers:
        raise SettingError("the template lists {labels}, but there are no label words; leave {labels} out")


def _listed(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names, key=_ORDER.index))


def _decimals(steps: int) -> int:
    """Digits after the point that write ``1 / steps`` exactly."""
    found = next((digits for digits in range(7) if steps > 0 and 10**digits % steps == 0), None)
    if found is None:
        raise SettingError(f"steps={steps!r} cannot be written with decimals; say 1, 2, 4, 5, 10, 20 or the like")
    return found


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
