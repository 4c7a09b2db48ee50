"""SoftPrompt: tuned tokens, the model they were tuned on, and what they started from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import PromptError
from taskspace.prompting.soft._tables import LAYOUTS, Layout, fingerprint_of, frozen_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.prompting.bank import Wording
    from taskspace.prompting.begin import Init
    from taskspace.prompting.soft._vector import PromptVector
    from taskspace.prompting.tune import Held
    from taskspace.task import Task
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.identity import BackboneId
    from taskspace.tuning.recipe import Recipe


@dataclass(frozen=True, eq=False)
class SoftPrompt:
    """m soft tokens ``tokens`` float32[m, d] for one frozen backbone (None where nobody wrote down which).

    ``init`` float32[m, d] is where tuning began, None if unknown: without it there is no :attr:`vector`.  ``tasks``
    names what it was tuned on and ``weights`` how often each counts in its vector, 1 unless said (a start made of
    ``a - b`` has 1 and -1).  ``layout`` "prefix" holds keys and values [m, L * 2 * d] (layer by layer, keys first)
    in place of input embeddings.  ``provenance`` takes plain JSON values: recipe, seed, metrics, versions.
    """

    tokens: NDArray[np.float32]
    backbone: BackboneId | None = None
    name: str = ""
    init: NDArray[np.float32] | None = None
    tasks: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])
    layout: Layout = "input"
    weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        tokens = frozen_table(self.tokens, f"prompt {self.name!r}")
        if self.layout not in LAYOUTS:
            raise PromptError(f"layout {self.layout!r} is not known; say one of {', '.join(LAYOUTS)}")
        if self.backbone is not None and self.layout == "input" and tokens.shape[1] != self.backbone.width:
            raise PromptError(
                f"prompt {self.name!r} is {tokens.shape[1]} wide and {self.backbone.name} is {self.backbone.width}; "
                "it was made for another backbone"
            )
        init = None if self.init is None else frozen_table(self.init, f"the init of prompt {self.name!r}")
        if init is not None and init.shape != tokens.shape:
            raise PromptError(
                f"prompt {self.name!r} has shape {tokens.shape} and its init {init.shape}; give the init it began from"
            )
        weights = dict.fromkeys(self.tasks, 1.0) if self.weights is None else dict(self.weights)
        if set(weights) != set(self.tasks):
            raise PromptError(
                f"prompt {self.name!r} has tasks {sorted(self.tasks)} and weights for {sorted(weights)}; name the same"
            )
        made = {"tokens": tokens, "init": init, "tasks": tuple(self.tasks), "weights": weights}
        for key, value in (made | {"provenance": dict(self.provenance)}).items():
            object.__setattr__(self, key, value)

    def __repr__(self) -> str:
        where = self.backbone.name if self.backbone else "an unknown backbone"
        return f"SoftPrompt({self.name!r}, {self.length} x {self.width} {self.layout}, on {where})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.tokens, dtype=dtype, copy=copy)

    @classmethod
    def tune(
        cls,
        task: Task,
        *,
        model: str | Path | Backbone,
        length: int | None = None,
        init: Init = "vocabulary",
        seed: int = 0,
        recipe: Recipe | None = None,
        shots: int | None = None,
        validation: Held = None,
        test: Task | None = None,
        verbaliser: Wording | None = None,
        folder: str | Path | None = None,
        progress: bool = False,
        **options: Any,
    ) -> SoftPrompt:
        """A prompt for ``task`` on a frozen ``model``: :func:`~taskspace.prompting.tune_prompts` of one.

        That function says what the arguments are, and tunes many at once in little more time.
        """
        from taskspace.prompting.tune import tune_prompts

        (prompt,) = tune_prompts(
            [task], model=model, length=length, init=init, seed=seed, recipe=recipe, shots=shots,
            validation=validation, test=test, verbaliser=verbaliser, folder=folder, progress=progress, **options,
        )  # fmt: skip
        return prompt

    @property
    def length(self) -> int:
        """Tokens: m."""
        return self.tokens.shape[0]

    @property
    def width(self) -> int:
        """Numbers per token: d, or L * 2 * d of a prefix."""
        return self.tokens.shape[1]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the tokens; of a prompt to begin from it is the ``init_id`` of the vectors made there."""
        return fingerprint_of(self.tokens)

    @property
    def vector(self) -> PromptVector:
        """What tuning added: tokens minus init (Task Prompt Vectors, section 3)."""
        from taskspace.prompting.soft._vector import vector_of

        return vector_of(self)

    def report(self) -> dict[str, Any]:
        """Sizes and Frobenius norms, as plain JSON values.

        ``ratio`` is ‖P₀‖ / ‖τ‖: far below 1, another init in place of P₀ hardly changes the prompt, and "the vector
        works from other inits" then says little.  None where there is no init, or a vector of zeros.
        """
        init_norm = None if self.init is None else _norm(self.init)
        vector_norm = None if self.init is None else _norm(self.tokens - self.init.astype(np.float64))
        ratio = init_norm / vector_norm if init_norm is not None and vector_norm else None
        imported = self.provenance.get("imported", {})
        return {
            "name": self.name, "tasks": list(self.tasks), "backbone": self.backbone.name if self.backbone else None,
            "layout": self.layout, "length": self.length, "width": self.width, "norm": _norm(self.tokens),
            "init_norm": init_norm, "vector_norm": vector_norm, "ratio": ratio,
            "stored_rows": imported.get("stored_rows", self.length), "dropped_rows": imported.get("dropped_rows", 0),
        }  # fmt: skip

    def save(self, folder: str | Path) -> Path:
        """Write a PEFT adapter folder with all that is known beside it; an older one stays until this is complete.

        Raises :class:`PromptError` when it cannot be written, or the folder holds anything else.
        """
        from taskspace.prompting.soft._folder import write_folder

        return write_folder(self, folder)

    @classmethod
    def load(cls, folder: str | Path) -> SoftPrompt:
        """Read what :meth:`save` wrote; for the files of others see :func:`~taskspace.prompting.soft.read_prompt`."""
        from taskspace.prompting.soft._folder import read_own

        return read_own(folder)


def _norm(table: NDArray[Any]) -> float:
    return float(np.linalg.norm(table.astype(np.float64)))
