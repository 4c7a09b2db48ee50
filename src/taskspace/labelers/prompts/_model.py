"""The seam below prompts: a language model, run here or behind an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from taskspace.labelers.prompts._prompt import Prompt
    from taskspace.labelers.prompts._reading import Reading
    from taskspace.task import Inputs


@runtime_checkable
class PromptModel(Protocol):
    """Reads rows under a prompt, and writes freely.

    ``fingerprint`` covers all that decides a reading beside the prompt and the row.  ``provenance`` holds
    plain JSON values.
    """

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def provenance(self) -> Mapping[str, Any]: ...
    def readings(self, prompt: Prompt, inputs: Inputs) -> Iterator[Mapping[int, Reading]]:
        """Readings by row number, batch by batch, in whatever order is fastest; each row once."""
        ...

    def write(self, request: str, *, max_tokens: int, chat: bool = False) -> str:
        """What the model writes after ``request``, greedily."""
        ...
