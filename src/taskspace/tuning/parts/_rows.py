"""What all parts share: rows of named tensors, where they start, and how one is read out and put back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from taskspace._extras import require
from taskspace.errors import PromptError, SettingError
from taskspace.tuning._whole import require_whole

if TYPE_CHECKING:
    from taskspace.tuning.parts._part import Frozen, Tensor

Floats: TypeAlias = NDArray[np.float32]
Arrays: TypeAlias = Mapping[str, Floats]
Seeds: TypeAlias = int | Sequence[int]
"""One seed: all rows start from the same draw, as TuPaTE needs.  K seeds: each row from its own."""


class Rows:
    """K rows of named float32 tensors, and what the K rows share.

    Row k of every tensor in ``parameters`` is bank row k; a tensor in ``shared`` has one row for all of them.
    """

    def __init__(
        self,
        parameters: Arrays,
        device: str,
        *,
        shared: Arrays | None = None,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self.parameters: dict[str, Tensor] = {name: _leaf(array, device) for name, array in parameters.items()}
        self.shared: dict[str, Tensor] = {name: _leaf(array, device) for name, array in (shared or {}).items()}
        self.rates: dict[str, float] = dict(rates or {})

    @property
    def rows(self) -> int:
        return len(next(iter(self.parameters.values())))

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the training beside the tensors it starts from, as plain JSON."""
        return {"rates": self.rates}

    def state(self, row: int) -> dict[str, Floats]:
        """Bank row ``row`` in arrays of its own, by parameter name; what is shared stands beside it."""
        own = {name: copied(tensor[row]) for name, tensor in self.parameters.items()}
        return own | {name: copied(tensor[0]) for name, tensor in self.shared.items()}

    def load(self, row: int, state: Arrays) -> None:
        """Put back what :meth:`state` read out; the tensors stay the ones an optimiser knows.

        Nothing shared is touched, since it belongs to the other rows too.  :class:`PromptError` if an array is
        missing or of another shape; then nothing is changed.
        """
        torch = torch_module()
        new = {name: fitting(state.get(name), tensor.shape[1:], name) for name, tensor in self.parameters.items()}
        with torch.no_grad():
            for name, array in new.items():
                self.parameters[name][row] = torch.tensor(array)


def _leaf(array: Floats, device: str) -> Tensor:
    return torch_module().tensor(np.asarray(array, np.float32), device=device).requires_grad_()


def copied(tensor: Tensor) -> Floats:
    """float32, on the CPU, its own memory."""
    return tensor.detach().float().cpu().numpy().copy()


def torch_module() -> Any:
    return require("torch", extra="embed", why="tuning")


def fitting(array: Any, shape: Sequence[int | None], what: str) -> Floats:
    """As float32; :class:`PromptError` unless it has that shape (None: any length but 0) and finite numbers."""
    if array is None:
        raise PromptError(f"there is no array {what!r}; give all that a part of this kind reads out")
    array = np.asarray(array, np.float32)
    fits = array.ndim == len(shape) and all(
        seen == asked if asked is not None else seen > 0 for seen, asked in zip(array.shape, shape, strict=True)
    )
    if not fits:
        asked = ", ".join("any" if length is None else str(length) for length in shape)
        raise PromptError(
            f"{what!r} has shape {list(array.shape)}, and this backbone and part take [{asked}]; "
            "give one that was tuned for them"
        )
    if not np.isfinite(array).all():
        raise PromptError(f"{what!r} has numbers that are not finite; tune it again at a lower rate")
    return array


def at_least_one(**settings: int) -> None:
    """:class:`SettingError` for a length, rank or number of rows that is no whole number, or below 1."""
    require_whole(1, **settings)


def drawn(rows: int, seed: Seeds, draw: Callable[[np.random.Generator], Mapping[str, Any]]) -> dict[str, Floats]:
    """What K rows start from: one draw repeated, or one draw for each of K seeds."""
    at_least_one(rows=rows)
    if not isinstance(seed, Sequence):
        return {name: repeated(array, rows) for name, array in draw(np.random.default_rng(seed)).items()}
    if len(seed) != rows:
        raise SettingError(f"there are {len(seed)} seeds for {rows} rows; give one seed, or one for each row")
    draws = [draw(np.random.default_rng(one)) for one in seed]
    return {name: np.stack([one[name] for one in draws]).astype(np.float32) for name in draws[0]}


def repeated(array: Any, rows: int) -> Floats:
    """The same array for each of K rows."""
    at_least_one(rows=rows)
    return np.repeat(np.asarray(array, np.float32)[None], rows, axis=0)


def uniform(rng: np.random.Generator, *shape: int, inputs: int) -> NDArray[np.float64]:
    """U(-1/√inputs, 1/√inputs), where a linear layer of torch starts (Kaiming uniform with a = √5)."""
    return rng.uniform(-(inputs**-0.5), inputs**-0.5, shape)


def vocabulary_rows(backbone: Frozen, length: int, rng: np.random.Generator, first: int = 5000) -> Floats:
    """float32[length, d]: input embeddings of tokens drawn without replacement from the ``first`` ids.

    After Lester et al. 2021, who draw from the 5,000 most common tokens: in most vocabularies the first ids.
    """
    first = min(first, len(backbone.embeddings))
    at_least_one(length=length)
    if length > first:
        raise SettingError(f"length={length} is more than the {first} tokens to draw from; give a smaller one")
    return copied(backbone.embeddings[rng.choice(first, length, replace=False).tolist()])
