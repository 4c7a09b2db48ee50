"""Regular expressions as a labeler: no training, and silent where no rule speaks.

taskspace embed --labeler python:examples/rules.py:answer --name sentiment-rules
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

GOOD = (
    r"(?:amaz|appreciat|awesome|beautiful|best\b|better\b|brilliant|captivat|charm(?!less)|clever|comfortable|delicious|delight"
    r"|eas(?:y|ily)\b|enjoy|excellent|excit|fantastic|fascinat|favou?rite|flawless|fresh|friendly|fun\b|funny|glad\b"
    r"|good\b|gorgeous|great|happy|helpful|hilarious|impress|kind\b|lovely|love[ds]?\b|loving|moving\b|nice|outstanding"
    r"|perfect|pleas(?:ant|ed|ure)|recommend|reliable|remarkable|satisf|smooth|solid|superb|terrific|thank|touching"
    r"|warm|well\b|wonderful|worth|wow\b)"
)
BAD = (
    r"(?:annoy|angry|awful|bad(?:ly)?\b|bland|bor(?:ed|ing)\b|brok(?:e|en)\b|cheap|clich|clumsy|complain|confus|crap"
    r"|defect|delay|disappoint|dread|dull|empty|fail|flat\b|flaw|frustrat|hat(?:e[ds]?|ing)\b|horribl|lack(?:s|ing)?\b"
    r"|late\b|lost\b|lousy|mediocre|mess\b|messy|miss(?:ed|ing)\b|nasty|overpriced|pathetic|pointless|poor|problem"
    r"|refus|regret|rude|ruin|sad(?:ly)?\b|sick\b|slow|stupid|tedious|terribl|tired|trouble|ugly|unfortunate|unfunny"
    r"|useless|waste|weak|worse|worst|worthless|wrong)"
)
NOT = r"\b(?:not|no|never|hardly|without|\w*n ?['\N{RIGHT SINGLE QUOTATION MARK}]t|cannot|too)\s+(?:\w+\s+){0,2}?"
SENTIMENT = {"negative": rf"{NOT}{GOOD}|\b{BAD}", "positive": rf"\b{GOOD}"}


def by_votes(rules: Mapping[str, str], otherwise: str | None = None) -> Callable[[Sequence[str]], list]:
    """A function that answers texts from one regular expression per class, which must hold no groups to capture.

    A text is read once from left to right, and each match is a vote; where several classes match, the one
    named first counts, so that "not good" is not "good" too.  Probabilities are the softmax of the votes.
    ``otherwise`` has half a vote from the start.  Without it, a text that no rule matches is left unanswered.
    """
    names, pattern = list(rules), "|".join(f"({rule})" for rule in rules.values())

    def shares(text: str) -> dict[str, float] | None:
        votes = dict.fromkeys(names, 0.0) | ({otherwise: 0.5} if otherwise else {})
        for match in re.finditer(pattern, text, re.IGNORECASE):
            votes[names[match.lastindex - 1]] += 1
        total = sum(math.exp(vote) for vote in votes.values())
        return {name: math.exp(vote) / total for name, vote in votes.items()} if any(votes.values()) else None

    return lambda texts: [shares(text) for text in texts]


def answer(texts: list[str]) -> list[dict[str, float] | None]:
    """What ``python:examples/rules.py:answer`` names."""
    return by_votes(SENTIMENT)(texts)
