"""Prompts in tokens: where a context ends, and which tokens each answer string adds to it.

A context and an answer are cut into tokens together, as they would be in running text, so that a merge across
the border ("fine" + "st") is scored as the model knows it.  The context of a query is what the context's own
tokens share with all these joint ones: every answer is then scored from the same place, and they compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeAlias, final

from taskspace.errors import LabelerError
from taskspace.labelers._labeler import first_line
from taskspace.labelers.language_models._query import Query
from taskspace.labelers.prompts._rendering import messages, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from taskspace.labelers.prompts import Prompt
    from taskspace.task import Inputs

Ids: TypeAlias = tuple[int, ...]
Turn: TypeAlias = dict[str, str]

_THOUGHTS, _THOUGHT = "<think>", "</think>"
_PROBE = "answer"


@dataclass(frozen=True)
class Opening:
    """A context in words, and what stands between it and an answer.

    ``marked`` is True where a chat template has written the special tokens already.
    """

    context: str
    lead: str = " "
    marked: bool = False

    def then(self, written: str) -> Opening:
        """The same context, gone on with."""
        return opened(self.context + written, marked=self.marked)


@dataclass(frozen=True)
class Row:
    """One row in its prompt: ``ask(keep)`` has no more than ``keep`` characters of each text, of ``longest``."""

    ask: Callable[[int], Opening]
    longest: int = 0


@dataclass(frozen=True)
class Written:
    """A row as the model gets it; ``cut`` is True where its text was too long."""

    opening: Opening
    query: Query
    cut: bool = False


@final
@dataclass(frozen=True, eq=False)
class Wording:
    """How one model's tokenizer writes prompts.

    ``limit`` is how many tokens a context may have together with the longest answer (for encoder-decoders:
    alone), ``None`` for any number.  Raises :class:`LabelerError` when a prompt cannot be written.
    """

    tokenizer: Any
    model: str
    is_encoder_decoder: bool = False
    limit: int | None = None

    def rows(self, prompt: Prompt, inputs: Inputs) -> list[Row]:
        """Each row as ``prompt`` asks about it: up to the answer, or to the thoughts if it wants some."""

        def row(text: str, pair: str | None) -> Row:
            def ask(keep: int) -> Opening:
                kept = text[:keep], None if pair is None else pair[:keep]
                if prompt.chat:
                    return self.chat(messages(prompt, *kept), free=bool(prompt.reasoning))
                return opened(plain_text(prompt, *kept))

            return Row(ask, max(len(text), len(pair or "")))

        return [row(text, pair) for text, pair in zip(inputs.texts, inputs.pairs, strict=True)]

    def chat(self, turns: Sequence[Turn], *, free: bool = False) -> Opening:
        """A conversation up to the model's next word; ``free`` leaves it to the model how its turn begins."""
        context = self._rendered(turns, answering=True)
        gap = "" if free else self._gap
        if not free and context.rfind(_THOUGHTS) > context.rfind(_THOUGHT):
            gap = f"\n{_THOUGHT}\n\n"  # the template opens thoughts, and none were asked for
        before = gap.rstrip()
        return Opening(context + before, gap[len(before) :], marked=True)

    def written(
        self, rows: Sequence[Row], answers: Sequence[str] = (), *, who: str, with_end: bool = False, spare: int = 0
    ) -> list[Written]:
        """The rows in tokens, each with every answer; ``who`` is asked, for the sentence of an error.

        Texts are cut from their end, the longer one of a pair first, until context, answer and ``spare``
        tokens keep within the limit.
        """
        openings = [row.ask(row.longest) for row in rows]
        end = self._end if with_end else ()
        queries = self._queries(openings, answers, end)
        done = [Written(opening, query) for opening, query in zip(openings, queries, strict=True)]
        if self.limit is not None:
            for i, query in enumerate(queries):
                if self._size(query) > self.limit - spare:
                    done[i] = self._shortened(rows[i], answers, end, spare, who)
        return done

    def tokens(self, texts: Sequence[str], *, marked: bool = False) -> list[Ids]:
        """Ids of contexts: a decoder's begin as the tokenizer begins a text, once; an encoder's also end so."""
        before, after = ((), ()) if marked else self._edges
        after = after if self.is_encoder_decoder else ()
        return [(() if before and ids[:1] == before[-1:] else before) + ids + after for ids in self._bare(texts)]

    @property
    def opening_marks(self) -> Ids:
        """The special tokens that the tokenizer puts before a text; maybe none."""
        return self._edges[0]

    def said(self, context: Ids, new: Ids) -> str:
        """What ``new`` tokens say after a context, special tokens left out."""
        if self.is_encoder_decoder:
            return self._text(new)
        before, whole = self._text(context), self._text(context + new)
        return whole[len(before) :] if whole.startswith(before) else self._text(new)

    def _queries(self, openings: Sequence[Opening], answers: Sequence[str], end: Ids) -> list[Query]:
        marked = any(opening.marked for opening in openings)
        answers = [answer.strip() for answer in answers]
        contexts = self.tokens([opening.context for opening in openings], marked=marked)
        if self.is_encoder_decoder or not answers:
            alone = tuple(ids + end for ids in self._bare(answers))
            return [Query(context or self._start, alone) for context in contexts]
        joint = self.tokens([o.context + o.lead + answer for o in openings for answer in answers], marked=marked)
        parts = [joint[i : i + len(answers)] for i in range(0, len(joint), len(answers))]
        return [self._split(context, part, end) for context, part in zip(contexts, parts, strict=True)]

    def _split(self, context: Ids, joint: Sequence[Ids], end: Ids) -> Query:
        cut = min(_shared(context, ids) for ids in joint)
        return Query(context[:cut] or self._start, tuple(ids[cut:] + end for ids in joint))

    def _size(self, query: Query) -> int:
        answers = () if self.is_encoder_decoder else query.continuations
        return len(query.context) + max((len(ids) for ids in answers), default=0)

    def _shortened(self, row: Row, answers: Sequence[str], end: Ids, spare: int, who: str) -> Written:
        """As many characters as fit, by halving; each trial costs one pass of the tokenizer."""
        room = max((self.limit or 0) - spare, 0)

        def trial(keep: int) -> Written:
            opening = row.ask(keep)
            return Written(opening, self._queries([opening], answers, end)[0], cut=True)

        low, high, best = 0, row.longest, trial(0)
        if self._size(best.query) > room:
            less = " or allow fewer new tokens" if spare else " or show fewer examples"
            raise LabelerError(
                f"{who} takes {self._size(best.query)} tokens even without a text, but {self.model} has room for"
                f" {room}; shorten it{less}"
            )
        while high - low > 1:
            middle = (low + high) // 2
            tried = trial(middle)
            if self._size(tried.query) <= room:
                low, best = middle, tried
            else:
                high = middle
        return best

    def _bare(self, texts: Sequence[str]) -> list[Ids]:
        if not texts:
            return []
        sayable = [text.encode("utf-8", "replace").decode() for text in texts]  # half a surrogate pair has no bytes
        made = self.tokenizer(sayable, add_special_tokens=False, return_attention_mask=False, verbose=False)
        return [tuple(row) for row in made["input_ids"]]

    @cached_property
    def _edges(self) -> tuple[Ids, Ids]:
        """The special tokens that the tokenizer puts before and after a text."""
        whole = tuple(self.tokenizer(_PROBE, verbose=False)["input_ids"])
        (inner,) = self._bare([_PROBE])
        at = next((i for i in range(len(whole)) if inner and whole[i : i + len(inner)] == inner), None)
        return ((), ()) if at is None else (whole[:at], whole[at + len(inner) :])

    @cached_property
    def _start(self) -> Ids:
        """For a context without any token: something must stand before the first one that is predicted."""
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return (int(token),)
        raise LabelerError(
            f"the prompt is empty for some text, and {self.model} has no token to begin with; let the template say more"
        )

    @property
    def _end(self) -> Ids:
        if self.tokenizer.eos_token_id is None:
            raise LabelerError(f"{self.model} has no end-of-text token; leave with_end out")
        return (int(self.tokenizer.eos_token_id),)

    def _text(self, ids: Ids) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _rendered(self, turns: Sequence[Turn], *, answering: bool) -> str:
        if not self.tokenizer.chat_template:
            raise LabelerError(f"{self.model} has no chat template; say chat = false, or take a model made for chat")
        try:
            return str(self.tokenizer.apply_chat_template(list(turns), tokenize=False, add_generation_prompt=answering))
        except Exception as error:  # a template is a program of its own, and may refuse what it likes
            raise LabelerError(
                f"the chat template of {self.model} refuses the prompt ({first_line(error)}); leave out system or"
                " examples, or say chat = false"
            ) from error

    @cached_property
    def _gap(self) -> str:
        """What the template puts between the opening of the model's turn and its words.

        Nothing for most; a space, or an empty pair of thinking marks, for some.
        """
        turns = [{"role": "user", "content": "question"}]
        bare = self._rendered(turns, answering=True)
        whole = self._rendered([*turns, {"role": "assistant", "content": _PROBE}], answering=False)
        at = whole.find(_PROBE, len(bare))
        return whole[len(bare) : at] if whole.startswith(bare) and at >= 0 else ""


def opened(text: str, *, marked: bool = False) -> Opening:
    """White space at the end of a text belongs to the answer; without any, the answer follows after a space."""
    context = text.rstrip()
    return Opening(context, text[len(context) :] or " ", marked)


def require_distinct(prompt: Prompt, answers: Sequence[Ids], model: str) -> None:
    """Refuse answers of different labels that the tokenizer does not tell apart, such as words it does not know."""
    seen: dict[Ids, tuple[str, str]] = {}
    owners = [(label, word) for label, words in prompt.answers.items() for word in words]
    for (label, word), ids in zip(owners, answers, strict=True):
        other, twin = seen.setdefault(ids, (label, word))
        if other != label:
            raise LabelerError(
                f"{model} reads the answers {twin!r} and {word!r} as the same; choose words that its tokenizer knows"
            )


def _shared(context: Ids, joint: Ids) -> int:
    if joint[: len(context)] == context:
        return len(context)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(context, joint, strict=False)))
