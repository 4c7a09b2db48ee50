"""Scoring by the likeliest tokens that a server lists at each place of its greedy reply.

One call tells the probability that the reply begins with each answer, as far as first tokens tell the
answers apart.  Where they do not ("very good", "very bad") the walk goes on along the greedy reply, and a
beginning off that path is shared by the labels that it could become.  An answer that is listed nowhere
gets an upper bound: it is no likelier than the last token listed, nor than all that is not listed.  The
rules are ours.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.labelers.endpoints._asking import Unable
from taskspace.labelers.endpoints._client import Refusal
from taskspace.labelers.endpoints._replies import choices, is_filtered, places, words
from taskspace.labelers.endpoints._words import read_words
from taskspace.labelers.prompts._reading import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.labelers.endpoints._asking import Asked, Vocabulary
    from taskspace.labelers.endpoints._client import Client
    from taskspace.labelers.endpoints._replies import Place

COUNTED_ELSEWHERE = -1e4
"""Nats for an answer string that differs from an earlier one in nothing that can be seen: it counts there."""

_CHAT_RIVALS, _PLAIN_RIVALS = 20, 5  # the most that the usual servers list
_LEAST_LEFT = 1e-9  # of probability: what rounding leaves of nothing


def by_listed_tokens(client: Client, asked: Asked) -> Reading | Refusal | Unable | tuple[Unable, Reading]:
    """One call.  Words without probabilities are read as words, and that the server gives none is told too."""
    settings = client.settings
    body = asked.body(settings.model, settings.max_tokens) | _wanted(chat=asked.prompt.chat)
    reply = client.post(asked.path, body, tokens_out=settings.max_tokens)
    if isinstance(reply, Refusal):
        return reply if reply.of_row else Unable(reply.message)
    (choice,) = choices(reply, 1)
    spelled = read_words(client, asked, words(choice), filtered=is_filtered(choice))
    found = places(choice)
    if isinstance(spelled, Refusal):
        return spelled
    if found is None:
        return Unable("the reply carries no log-probabilities"), spelled
    ended = choice.get("finish_reason") != "length"
    log_probs = walked(found, asked.vocabulary, ended=ended)
    if log_probs is None:
        return spelled
    return Reading(log_probs, (1,) * len(log_probs), None, client.settings.scrub(asked.thoughts or ""))


def walked(found: Sequence[Place], vocabulary: Vocabulary, *, ended: bool) -> tuple[float, ...] | None:
    """Log-probability (nats) of each answer string, or ``None`` if none of them is listed anywhere.

    ``ended`` says that the reply was not cut, so that an answer at its end is a whole one.
    """
    masses: dict[int, list[float]] = {}
    bounds = [0.0] * len(vocabulary.forms)
    before, so_far = "", 0.0
    for place in found:
        _bound(bounds, place, vocabulary, before, so_far)
        for token, value in place.listed:
            meant = _meant(before + token, vocabulary)
            if token == place.token and len(meant) > 1:  # the places that follow tell
                continue
            for i, share in _shares(meant, vocabulary.fold(before + token), vocabulary).items():
                masses.setdefault(i, []).append(so_far + value + math.log(share))
        before, so_far = before + place.token, so_far + place.log_prob
        if vocabulary.fold(before) and len(_meant(before, vocabulary)) < 2:
            break
    else:
        whole = [i for i, form in enumerate(vocabulary.forms) if form == vocabulary.fold(before).rstrip()]
        if ended and whole:
            masses.setdefault(whole[0], []).append(so_far)
    if not masses:
        return None
    return tuple(_value(i, masses, bounds, vocabulary) for i in range(len(vocabulary.forms)))


def _value(i: int, masses: dict[int, list[float]], bounds: list[float], vocabulary: Vocabulary) -> float:
    if vocabulary.forms.index(vocabulary.forms[i]) < i:
        return COUNTED_ELSEWHERE
    return min(0.0, float(np.logaddexp.reduce(masses[i]))) if i in masses else bounds[i]


def _meant(text: str, vocabulary: Vocabulary) -> list[int]:
    """Answer strings that a beginning stands for: one if it is decided, two (of several labels) if it is open.

    An answer is reached when a whole word ends there; it is open when the beginning could become it.
    """
    begun = vocabulary.fold(text)
    if not begun.strip():
        return []
    reached, could = -1, list[int]()
    for i, form in enumerate(vocabulary.forms):
        if begun.startswith(form) and not _is_amid_word(begun, len(form)):
            reached = i if reached < 0 or len(form) > len(vocabulary.forms[reached]) else reached
        elif form.startswith(begun):
            could.append(i)
    if reached >= 0:  # "no" is not the beginning of "none", but of "no idea" it is
        could = [i for i in could if not _is_amid_word(vocabulary.forms[i], len(begun))]
        could.insert(0, reached)
    return could[:1] if len({vocabulary.labels[i] for i in could}) == 1 else could


def _shares(meant: list[int], begun: str, vocabulary: Vocabulary) -> dict[int, float]:
    """How the mass of a beginning goes to the answer strings it stands for.

    One that is reached gets all of it; where none is, labels share alike, and so do the strings of a label.
    """
    if meant and begun.startswith(vocabulary.forms[meant[0]]):
        return {meant[0]: 1.0}
    strings = Counter(vocabulary.labels[i] for i in meant)
    return {i: 1 / (len(strings) * strings[vocabulary.labels[i]]) for i in meant}


def _is_amid_word(text: str, at: int) -> bool:
    """Whether a word goes on over position ``at``."""
    return at < len(text) and (text[at].isalnum() or text[at] == "_") and text[at - 1].isalnum()


def _bound(bounds: list[float], place: Place, vocabulary: Vocabulary, before: str, so_far: float) -> None:
    """What an answer that is not listed here has at most, for all that can still begin here."""
    left = 1.0 - sum(math.exp(value) for _, value in place.listed)
    least = min(min(value for _, value in place.listed), math.log(max(left, _LEAST_LEFT)))
    begun = vocabulary.fold(before)
    for i, form in enumerate(vocabulary.forms):
        if form.startswith(begun):
            bounds[i] = so_far + least


def _wanted(*, chat: bool) -> dict[str, Any]:
    return {"logprobs": True, "top_logprobs": _CHAT_RIVALS} if chat else {"logprobs": _PLAIN_RIVALS}
