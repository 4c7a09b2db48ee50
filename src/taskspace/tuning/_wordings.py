"""Built-in wordings: how published tasks were put to T5, and how their labels were called.

From Raffel et al. 2020 and Task Prompt Vectors, so that prompts tuned elsewhere meet the texts that they know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from taskspace.task import plain_letters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Wording:
    """One published task: the ``name`` that its T5 texts begin with, its fields, and its label words by code.

    ``one`` and ``two`` are the T5 text of a single row and of a pair after the name, where it is not just each field
    after what it is called.  ``also`` gives the words of classes that others call otherwise, ``numbers`` all that may
    be said where the labels are numbers.
    """

    name: str
    words: tuple[str, ...] = ()
    single: str = "sentence"
    pair: tuple[str, str] = ("sentence1", "sentence2")
    one: str = ""
    two: str = ""
    also: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    numbers: tuple[str, ...] = ()

    def t5(self) -> tuple[str, str]:
        """Templates for a single text and for a pair."""
        first, second = self.pair
        one = self.one or f"{self.single}: {{text}}"
        two = self.two or f"{first}: {{text}} {second}: {{text_pair}}"
        return f"{self.name} {one}", f"{self.name} {two}"

    def instruct(self, request: str) -> tuple[str, str]:
        """The same as a user's turn; ``request`` says what to do with ``{what}``."""
        first, second = self.pair
        one, two = request.format(what=self.single), request.format(what=f"{first} and {second} pair")
        return (
            f"{one}\n{self.single}: {{text}}\nlabel: ",
            f"{two}\n{first}: {{text}}\n{second}: {{text_pair}}\nlabel: ",
        )

    def words_of(self, classes: Sequence[str]) -> dict[str, str] | None:
        """The word of each class, found by name or by code; ``None`` unless all are found and differ."""
        if sorted(classes) == sorted(map(str, range(len(self.words)))):
            return {code: self.words[int(code)] for code in classes}
        names = {word: word for word in self.words} | dict(self.also)
        known = {plain_letters(name): word for name, word in names.items()}
        found = {name: known[plain_letters(name)] for name in classes if plain_letters(name) in known}
        return found if len(found) == len(classes) == len(set(found.values())) else None


def known_wording(task: str) -> Wording | None:
    """The wording of a task by its name: ``SST-2``, ``sst2`` and ``nyu-mll/glue:sst2`` are one."""
    return next((_KNOWN[name] for name in plain_names(task) if name in _KNOWN), None)


def plain_names(task: str) -> list[str]:
    """The parts of a task's name that may tell what it is, last first, letters and digits only."""
    return [plain_letters(part) for part in reversed(re.split(r"[/:]", task))]


_SENTIMENT = ("negative", "positive")
_ENTAILMENT = ("entailment", "neutral", "contradiction")
_PREMISE = ("premise", "hypothesis")
_CATEGORY = "What is the category for following text:"


def _titled(name: str, words: tuple[str, ...], also: Mapping[str, str]) -> Wording:
    """An article, with its title as the first of two texts if there is one."""
    one, two = f"{_CATEGORY} content: {{text}}", f"{_CATEGORY} title: {{text}} content: {{text_pair}}"
    return Wording(name, words, "content", ("title", "content"), one, two, also)


_WORDINGS = (
    Wording("sst2", _SENTIMENT),
    Wording("yelp_polarity", _SENTIMENT),
    Wording("imdb", _SENTIMENT),
    Wording("sst5", ("very negative", "negative", "neutral", "positive", "very positive")),
    Wording("mnli", _ENTAILMENT, pair=_PREMISE),
    Wording("snli", _ENTAILMENT, pair=_PREMISE),
    Wording("scitail", ("entailment", "neutral"), pair=_PREMISE, also={"entails": "entailment"}),
    Wording("qnli", ("entailment", "not_entailment"), pair=("question", "sentence")),
    Wording("rte", ("entailment", "not_entailment")),
    Wording("wnli", ("not_entailment", "entailment")),
    Wording("qqp", ("not_duplicate", "duplicate"), pair=("question1", "question2")),
    Wording(
        "mrpc",
        ("not_equivalent", "equivalent"),
        also={"not paraphrase": "not_equivalent", "paraphrase": "equivalent"},
    ),
    Wording("cola", ("unacceptable", "acceptable")),
    Wording("stsb", numbers=tuple(f"{step / 5:.1f}" for step in range(26))),
    Wording(
        "trec_coarse",
        ("Abbreviation", "Entity", "Description", "Person", "Location", "Quantity"),
        single="question",
        one="What is this question asking for: {text}",
        also={
            "ABBR": "Abbreviation", "ENTY": "Entity", "DESC": "Description", "LOC": "Location",
            "HUM": "Person", "human": "Person", "NUM": "Quantity", "number": "Quantity", "numeric": "Quantity",
        },
    ),
    _titled(
        "dbpedia",
        (
            "Company", "Educational Institution", "Artist", "Athlete", "Office Holder", "Mean Of Transportation",
            "Building", "Natural Place", "Village", "Animal", "Plant", "Album", "Film", "Written Work",
        ),
        also={"means of transportation": "Mean Of Transportation"},
    ),
    Wording(
        "ag_news",
        ("World", "Sports", "Business", "Sci/Tech"),
        single="text",
        one=f"{_CATEGORY} {{text}}",
        also={"science and technology": "Sci/Tech"},
    ),
    _titled(
        "yahoo",
        (
            "Society", "Science", "Health", "Education", "Computers",
            "Sports", "Business", "Entertainment", "Family", "Politics",
        ),
        also={
            "Society & Culture": "Society", "Science & Mathematics": "Science", "Education & Reference": "Education",
            "Computers & Internet": "Computers", "Business & Finance": "Business",
            "Entertainment & Music": "Entertainment", "Family & Relationships": "Family",
            "Politics & Government": "Politics",
        },
    ),
)  # fmt: skip

_ALSO_CALLED = {
    "yelp": "yelp_polarity", "trec": "trec_coarse", "dbpedia14": "dbpedia", "yahooanswers": "yahoo",
    "yahooanswerstopics": "yahoo",
}  # fmt: skip
_BY_NAME = {plain_letters(wording.name): wording for wording in _WORDINGS}
_KNOWN = _BY_NAME | {name: _BY_NAME[plain_letters(called)] for name, called in _ALSO_CALLED.items()}
