"""The tuned prompts of a study, as arrays beside its runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from taskspace._files import replacing
from taskspace.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.prompting.study.rows import Row

FOLDER = "prompts"


@dataclass(frozen=True, eq=False)
class TunedPrompt:
    """The prompt of one task from one init: ``tokens`` as tuned and ``start`` as begun, both float32[m, d]."""

    task: str
    init: int
    tokens: NDArray[np.float32]
    start: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.tokens.ndim != 2 or self.tokens.shape != self.start.shape:
            raise PromptError(
                f"the prompt of {self.task!r} is {self.tokens.shape} and its init {self.start.shape}; give two"
                " arrays of one shape, tokens by width"
            )
        if not (np.isfinite(self.tokens).all() and np.isfinite(self.start).all()):
            raise PromptError(
                f"the prompt of {self.task!r} from init {self.init} has numbers that are not finite; tune it again"
            )

    @property
    def vector(self) -> NDArray[np.float32]:
        """The task prompt vector float32[m, d]: tuned minus init."""
        return self.tokens - self.start


def save_prompt(folder: Path, prompt: TunedPrompt, *, within: str = FOLDER) -> Path:
    """Write ``prompts/TASK.INIT.safetensors`` under the study's ``folder``, whole or not at all."""
    from safetensors.numpy import save

    target = folder / within / f"{quote(prompt.task, safe=' ')}.{prompt.init}.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"tokens": prompt.tokens, "start": prompt.start}
    header = json.dumps({"task": prompt.task, "init": int(prompt.init)})
    with replacing(target) as partial:
        partial.write_bytes(
            save(
                {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()},
                metadata={"study": header},
            )
        )
    return target


def read_prompts(folder: Path, order: Sequence[str] = (), *, within: str = FOLDER) -> tuple[TunedPrompt, ...]:
    """All prompts of a study: tasks in the ``order`` given, further ones by name, inits by number.

    Raises :class:`PromptError` for a file that is not such a prompt, and where two differ in shape.
    """
    files = sorted(path for path in (folder / within).glob("*.safetensors") if not path.name.startswith("."))
    found = [_read(path) for path in files]
    require_one_shape(found)
    place = {task: i for i, task in enumerate(order)}
    return tuple(sorted(found, key=lambda each: (place.get(each.task, len(place)), each.task, each.init)))


def require_one_shape(prompts: Iterable[TunedPrompt]) -> None:
    """Refuse prompts of several lengths or widths: they cannot be compared entry by entry."""
    shapes = {prompt.tokens.shape: prompt.task for prompt in prompts}
    if len(shapes) > 1:
        said = " and ".join(f"{task!r} of {shape[0]} tokens by {shape[1]}" for shape, task in list(shapes.items())[:2])
        raise PromptError(f"the study holds prompts of several shapes, {said}; tune all with one length and backbone")


def norms(prompts: Iterable[TunedPrompt]) -> list[Row]:
    """Per task the mean norms of inits ‖P0‖ and vectors ‖τ‖ (Frobenius), and the mean of their ratio.

    Where the ratio is far below 1 the init is too small to matter, and changing it shows nothing.
    """
    sizes: dict[str, list[tuple[float, float]]] = {}
    for prompt in prompts:
        start, vector = (float(np.linalg.norm(each)) for each in (prompt.start, prompt.vector))
        sizes.setdefault(prompt.task, []).append((start, vector))
    return [
        {
            "task": task,
            "n": len(own),
            "norm_init": float(np.mean([start for start, _ in own])),
            "norm_vector": float(np.mean([vector for _, vector in own])),
            "ratio": float(np.mean([start / vector if vector else np.inf for start, vector in own])),
        }
        for task, own in sizes.items()
    ]


def _read(path: Path) -> TunedPrompt:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            header = json.loads((file.metadata() or {})["study"])
            arrays: tuple[NDArray[np.float32], ...] = tuple(file.get_tensor(name) for name in ("tokens", "start"))
        return TunedPrompt(str(header["task"]), int(header["init"]), *arrays)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise PromptError(f"{path} is not a prompt of a study ({error}); delete it to have it tuned again") from error
