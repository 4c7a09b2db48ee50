"""Self-Select: the model is shown the prompts and asked which is best."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.labelers.prompts import Prompt, PromptModel


def self_select(prompts: Sequence[Prompt], model: PromptModel) -> tuple[NDArray[np.float64], str]:
    """float64[T], minus the place in the model's own order, and what it wrote; one call of the model.

    Prompts it does not name share the place after the last it names, so an answer without numbers scores
    all alike.
    """
    reply = model.write(_request(prompts), max_tokens=8 * len(prompts), chat=prompts[0].chat)
    order = read_order(reply, len(prompts))
    places = np.full(len(prompts), len(order), dtype=np.float64)
    places[order] = np.arange(len(order))
    return 0.0 - places, reply


def read_order(reply: str, count: int) -> list[int]:
    """Prompt numbers from 0 in the order in which the reply names them (from 1), each at its first place."""
    named = [int(digits) - 1 for digits in re.findall(r"(?<![\w.])\d{1,6}(?!\w)", reply)]
    return list(dict.fromkeys(number for number in named if 0 <= number < count))


def _request(prompts: Sequence[Prompt]) -> str:
    listed = "\n\n".join(
        f"Prompt {number}:\n{prompt.question('{text}', '{text_pair}')}"
        for number, prompt in enumerate(prompts, start=1)
    )
    return (
        f"Below are {len(prompts)} prompts for one task; the text to be labelled stands where the braces are.\n\n"
        f"{listed}\n\n"
        "Order the prompts from the one that you would answer most accurately to the least."
        " Write only their numbers, separated by commas.\nOrder:"
    )
