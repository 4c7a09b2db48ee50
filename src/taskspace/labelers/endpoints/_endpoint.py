"""An OpenAI-compatible server as a model that reads rows under a prompt."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

from taskspace.errors import LabelerError, TaskspaceWarning
from taskspace.labelers.endpoints._asking import Asked, Unable, Vocabulary
from taskspace.labelers.endpoints._budget import Budget
from taskspace.labelers.endpoints._client import Client, Refusal
from taskspace.labelers.endpoints._fan import in_batches_as_done
from taskspace.labelers.endpoints._replies import choices, is_filtered, words
from taskspace.labelers.endpoints._settings import Settings, url_and_key
from taskspace.labelers.endpoints._ways import WAYS, Ways
from taskspace.labelers.prompts._reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from taskspace.labelers.endpoints._budget import Usage
    from taskspace.labelers.endpoints._settings import Scoring
    from taskspace.labelers.prompts._prompt import Prompt
    from taskspace.task import Inputs

_BATCH = 16  # rows
_TROUBLE = 4  # rows: if as many are asked and the server refuses all, something else is wrong


@final
class Endpoint:
    """A :class:`~taskspace.labelers.prompts.PromptModel` behind HTTP; see :func:`open_endpoint`.

    Holds what the run has used and which ways of scoring the server turned out to support.
    """

    def __init__(self, settings: Settings, budget: Budget, transport: httpx.BaseTransport | None = None) -> None:
        self._settings, self._budget, self._transport = settings, budget, transport
        self._ways = Ways(settings.scoring)

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r} at {self._settings.base_url}, scoring={self._settings.scoring!r})"

    @property
    def name(self) -> str:
        return self._settings.model

    @property
    def fingerprint(self) -> str:
        return self._settings.fingerprint

    @property
    def provenance(self) -> Mapping[str, Any]:
        settings = self._settings
        about: dict[str, Any] = {"model": settings.model, "endpoint": settings.base_url, "scoring": settings.scoring}
        read = [way for way in self.usage.readings if way in WAYS]
        return {**about, "read_by": read} if read else about

    @property
    def usage(self) -> Usage:
        """Calls, tokens and money since the endpoint was opened."""
        return self._budget.usage

    def readings(self, prompt: Prompt, inputs: Inputs) -> Iterator[Mapping[int, Reading]]:
        """Readings in batches of about 16 rows, in the order in which they come.

        A row that the server refuses for its own sake (too long, filtered) abstains; a warning at the end
        tells how many.  Raises :class:`LabelerError` when the server fails for good, gives what cannot be
        true, refuses all of four rows or more, or the budget is spent; rows under way are given back before.
        """
        self._ways.require_possible(prompt)
        vocabulary = Vocabulary.of(prompt)
        rows = [Asked(prompt, *row, vocabulary) for row in zip(inputs.texts, inputs.pairs, strict=True)]
        waiting: dict[int, Refusal] = {}
        refused, some, message = 0, False, ""
        with Client(self._settings, self._budget, self._transport) as client:
            for batch in in_batches_as_done(
                lambda row: self._read(client, rows[row]), len(rows), workers=lambda: self._workers(prompt.chat),
                most=self._settings.concurrency, batch=_BATCH, stop=client.stop,
            ):  # fmt: skip
                new = {row: said for row, said in batch.items() if isinstance(said, Refusal)}
                answered = {row: said for row, said in batch.items() if isinstance(said, Reading)}
                waiting |= new
                refused += len(new)
                message = message or next((said.message for said in new.values()), "")
                some = some or bool(answered)
                if some:  # what the server refuses is kept only once it has answered something
                    yield answered | _abstentions(waiting)
                    waiting = {}
        if not some and refused == len(rows) >= _TROUBLE:
            raise LabelerError(
                f"{self._settings.base_url} refused all {refused} rows ({message}); shorten the texts, or take another"
                " model"
            )
        if waiting:
            yield _abstentions(waiting)
        if refused:
            warnings.warn(
                f"{self._settings.base_url} refused {refused} of {len(rows)} rows ({message}); they abstain",
                TaskspaceWarning,
                stacklevel=2,
            )

    def write(self, request: str, *, max_tokens: int, chat: bool = False) -> str:
        """What the model writes after ``request``, greedily; ``chat`` makes it a user's turn."""
        said = {"messages": [{"role": "user", "content": request}]} if chat else {"prompt": request.rstrip()}
        with Client(self._settings, self._budget, self._transport) as client:
            written = self._written(client, "/chat/completions" if chat else "/completions", said, max_tokens)
        if isinstance(written, Refusal):
            raise self._refused(written)
        return written.strip()

    def _read(self, client: Client, asked: Asked) -> Reading | Refusal:
        prompt = asked.prompt
        if prompt.reasoning:
            body = asked.body(self.name, prompt.reasoning_tokens)
            thoughts = self._written(client, asked.path, body, prompt.reasoning_tokens)
            if isinstance(thoughts, Refusal):
                return self._of_row(thoughts)
            asked = replace(asked, thoughts=thoughts)
        outcome = None
        while outcome is None:
            outcome = self._outcome(client, asked)
        if isinstance(outcome, Refusal):
            return self._of_row(outcome)
        return outcome

    def _outcome(self, client: Client, asked: Asked) -> Reading | Refusal | None:
        """By the best way that is left; ``None`` where the server turns out not to support it."""
        way, chat = self._ways.best(asked.prompt), asked.prompt.chat
        found: Any = WAYS[way](client, asked)
        unable, outcome = found if isinstance(found, tuple) else (found, found)
        if isinstance(unable, Unable):
            if not self._ways.drop(way, chat=chat):
                raise LabelerError(
                    f"{self._settings.base_url} cannot be scored by {way} ({unable.why}); use scoring='auto' or 'text'"
                )
        elif isinstance(outcome, Reading):
            self._ways.prove(chat=chat)
        if isinstance(outcome, Reading):
            self._budget.count(way if outcome.log_probs else "abstained" if outcome.said is None else "text")
        return outcome if isinstance(outcome, Reading | Refusal) else None

    def _written(self, client: Client, path: str, body: dict[str, Any], max_tokens: int) -> str | Refusal:
        wanted = {"model": self.name, **body, "max_tokens": max_tokens, "temperature": 0}
        reply = client.post(path, wanted, tokens_out=max_tokens)
        if isinstance(reply, Refusal):
            return reply
        (choice,) = choices(reply, 1)
        return Refusal(200, "content filter", of_row=True) if is_filtered(choice) else words(choice)

    def _of_row(self, refusal: Refusal) -> Refusal:
        if not refusal.of_row:
            raise self._refused(refusal)
        self._budget.count("refused")
        return refusal

    def _refused(self, refusal: Refusal) -> LabelerError:
        return LabelerError(
            f"{self._settings.base_url} refuses the request ({refusal.message}); check the model's name and settings"
        )

    def _workers(self, chat: bool) -> int:
        """Rows go one by one until it is known what the server can do: nobody pays for asking it eight times."""
        return self._settings.concurrency if self._ways.is_settled(chat=chat) else 1


def open_endpoint(
    base_url: str | None = None,
    *,
    model: str,
    api_key: str | None = None,
    scoring: Scoring = "auto",
    concurrency: int = 8,
    timeout: float = 60.0,
    retries: int = 5,
    max_tokens: int = 16,
    budget_calls: int | None = None,
    budget_cost: float | None = None,
    price_in: float = 0.0,
    price_out: float = 0.0,
    transport: httpx.BaseTransport | None = None,
) -> Endpoint:
    """An OpenAI-compatible server (``http://localhost:8000/v1``) as a model for prompts; nothing is sent yet.

    ``base_url`` and ``api_key`` default to ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY``.  ``scoring`` is one
    of ``echo`` (exact, completions only), ``top_logprobs`` (likeliest first tokens), ``text`` (words), or
    ``auto``: the best that the server turns out to support.  ``timeout`` is in seconds per try; a call is
    tried again at most ``retries`` times.  ``max_tokens`` bounds an answer in words.

    ``budget_calls`` and ``budget_cost`` stop the run before they would be overspent; the cost is reckoned
    from ``price_in`` and ``price_out`` per million tokens, in any currency.  ``transport`` replaces the
    network, for tests.  Raises :class:`SettingError` for settings that cannot be meant.
    """
    url, key = url_and_key(base_url, api_key)
    settings = Settings(url, model, key, scoring, concurrency, timeout, retries, max_tokens)
    return Endpoint(settings, Budget(budget_calls, budget_cost, price_in, price_out), transport)


def _abstentions(refused: Mapping[int, Refusal]) -> dict[int, Reading]:
    return {row: Reading(words=f"refused: {refusal.message}") for row, refusal in refused.items()}
