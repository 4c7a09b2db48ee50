"""A prompt and a row, as the text or the turns that a language model is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskspace.labelers.prompts._prompt import Prompt


def joined(context: str, answer: str) -> str:
    """The answer after its context: after the white space that ends the context, else after a space."""
    bare = context.rstrip()
    return f"{bare}{context[len(bare) :] or ' '}{answer.strip()}"


def plain_text(prompt: Prompt, text: str, pair: str | None, thoughts: str | None = None) -> str:
    """What stands before the answer when there is no chat template: system text, solved examples, question.

    A prompt with a reasoning round ends in the request for thoughts until they are given as ``thoughts``,
    as the model went on writing them.
    """
    before = [prompt.system] if prompt.system else []
    asked = _asked(prompt, text, pair)
    whole = prompt.separator.join([*before, *(joined(*shown) for shown in prompt.shown()), asked])
    return whole if thoughts is None else f"{whole.rstrip()}{thoughts.rstrip()}\n{prompt.conclusion}"


def messages(prompt: Prompt, text: str, pair: str | None, thoughts: str | None = None) -> list[dict[str, str]]:
    """The same as turns: examples become turns of user and assistant, thoughts one of the assistant."""
    turns = [_turn("system", prompt.system)] if prompt.system else []
    for question, answer in prompt.shown():
        turns += [_turn("user", question), _turn("assistant", answer)]
    turns.append(_turn("user", _asked(prompt, text, pair)))
    return turns if thoughts is None else [*turns, _turn("assistant", thoughts), _turn("user", prompt.conclusion)]


def _asked(prompt: Prompt, text: str, pair: str | None) -> str:
    question = prompt.question(text, pair)
    return f"{question}\n{prompt.reasoning}" if prompt.reasoning else question


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
