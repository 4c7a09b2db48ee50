"""What one language model said under many prompts to the same rows: all that choosing among them needs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from taskspace._files import replacing
from taskspace.errors import DataError, LabelerError, SettingError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

Need: TypeAlias = Literal["soft", "perplexity", "empty", "free"]

FREE_INPUTS = ("", "N/A", "[MASK]")
"""Texts that say nothing, in the order of ``PromptReadings.free`` (Zhao et al. 2021, "Calibrate before use")."""

EPSILON = 1e-7
"""Probabilities count as at least this much inside a logarithm (Yang et al., 2305.14877)."""

DECIMALS = 12
"""Sums of the same numbers may differ beyond these with the order of adding; what agrees to here is a tie."""

_ARRAYS = ("log_unnorm", "known", "soft", "free", "perplexity")
_NAMES = ("prompts", "keys", "labels", "rows", "wordings")


@dataclass(frozen=True, eq=False)
class PromptReadings:
    """T prompts, X rows and Y labels; ``labels`` is the order of the classes under every prompt.

    ``log_unnorm`` float64[T, X, Y] is the log of the mass on each label (nats; -inf for none, and where
    unknown); ``known`` bool[T, X] is False where nothing could be read: means over rows leave those out,
    prompt by prompt.  ``soft`` bool[T] says which prompts have probabilities and not only a label per row.
    ``free`` float64[T, 3, Y] is ``log_unnorm`` on :data:`FREE_INPUTS`, ``perplexity`` float64[T, X] that of
    the filled prompt per token; NaN where not measured.

    ``keys`` are :attr:`Prompt.key`, ``rows`` the hex digests of the inputs, ``model`` and ``fingerprint``
    the language model's.  Prompts of equal ``wordings`` (:func:`taskspace.prompting.choosing.wording`;
    default: the keys) are one and the same.  ``provenance`` holds plain JSON values.

    Raises :class:`LabelerError` for arrays that do not fit each other, or a known row without any mass.
    """

    prompts: tuple[str, ...]
    keys: tuple[str, ...]
    labels: tuple[str, ...]
    log_unnorm: NDArray[np.float64]
    known: NDArray[np.bool_]
    soft: NDArray[np.bool_]
    free: NDArray[np.float64]
    perplexity: NDArray[np.float64]
    rows: tuple[str, ...]
    model: str
    fingerprint: str
    wordings: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        for name in _NAMES:
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "wordings", self.wordings or self.keys)
        for name, array in _checked(self).items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        t, x, y = self.shape
        return f"PromptReadings({t} prompts, {x} rows, {y} labels, {self.model!r})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, X, Y)."""
        return len(self.prompts), len(self.rows), len(self.labels)

    @cached_property
    def probs(self) -> NDArray[np.float64]:
        """float64[T, X, Y], summing to 1 over the labels; zero where unknown."""
        top = np.where(self.known, self.log_unnorm.max(axis=2), 0.0)
        mass = np.exp(self.log_unnorm - top[..., None])
        probs = mass / np.where(self.known, mass.sum(axis=2), 1.0)[..., None]
        probs.flags.writeable = False
        return probs

    @property
    def coverage(self) -> NDArray[np.float64]:
        """float64[T, X]: the probability that the model says one of the answers at all; 0 where unknown."""
        return np.exp(self.log_unnorm).sum(axis=2)

    @property
    def predictions(self) -> NDArray[np.int64]:
        """int64[T, X]: the likeliest class, the first of equals; -1 where unknown."""
        return np.where(self.known, self.log_unnorm.argmax(axis=2), -1)

    @property
    def twins(self) -> NDArray[np.int64]:
        """int64[T]: for each prompt the number of the first of the same wording, itself where it is the first."""
        return np.array([self.wordings.index(wording) for wording in self.wordings], dtype=np.int64)

    def take(self, prompts: Sequence[str | int] | NDArray[np.int64]) -> PromptReadings:
        """Some prompts, by name or number, in the order given; a prompt may come twice."""
        which = [self._number(p) if isinstance(p, str) else int(p) for p in prompts]
        names = {name: tuple(getattr(self, name)[i] for i in which) for name in ("prompts", "keys", "wordings")}
        return replace(self, **names, **{name: getattr(self, name)[which] for name in _ARRAYS})

    def take_rows(self, rows: Sequence[int] | NDArray[np.int64]) -> PromptReadings:
        """Some rows, by number; a row may come twice, as it does in a bootstrap."""
        which = [int(row) for row in rows]
        arrays = {name: getattr(self, name)[:, which] for name in ("log_unnorm", "known", "perplexity")}
        return replace(self, rows=tuple(self.rows[i] for i in which), **arrays)

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file; the JSON header holds all but the numbers.  An old file is replaced whole."""
        from safetensors.numpy import save

        kept = (*_NAMES, "model", "fingerprint")
        header = {"format": 1, **{name: getattr(self, name) for name in kept}, "provenance": dict(self.provenance)}
        target = Path(path)
        arrays = {name: np.array(getattr(self, name)) for name in _ARRAYS}
        try:
            with replacing(target) as partial:
                partial.write_bytes(save(arrays, {"prompt_readings": json.dumps(header)}))
        except OSError as error:
            raise DataError(f"cannot write {target}: {error.strerror}; choose another place") from error
        return target

    @classmethod
    def load(cls, path: str | Path) -> PromptReadings:
        """Read what :meth:`save` wrote; raises :class:`DataError` for anything else."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="numpy") as file:
                written: str | None = (file.metadata() or {}).get("prompt_readings")
                arrays = {name: file.get_tensor(name) for name in _ARRAYS} if written else {}
        except FileNotFoundError as error:
            raise DataError(f"there is no file {path}; check the path") from error
        except (OSError, SafetensorError) as error:
            raise DataError(f"{path} is not a readable file of prompt readings ({error}); make it again") from error
        if written is None:
            raise DataError(f"{path} is a safetensors file but holds no prompt readings; check the path")
        try:
            header = json.loads(written)
            if header.pop("format") != 1:
                raise DataError(f"{path} is of a format that this version does not read; upgrade taskspace")
            return cls(**header, **arrays)
        except (KeyError, TypeError, ValueError, AttributeError, LabelerError) as error:
            raise DataError(f"{path} does not hold sound prompt readings ({error}); make it again") from error

    def _number(self, name: str) -> int:
        if name not in self.prompts:
            raise SettingError(f"there is no prompt {name!r}{did_you_mean(name, self.prompts)}")
        return self.prompts.index(name)


def known_mean(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean float64[T, …] of ``values`` float64[T, X, …] over the rows ``known`` bool[T, X]; NaN without any."""
    count = known.sum(axis=1).reshape(-1, *[1] * (values.ndim - 2))
    mask = known.reshape(*known.shape, *[1] * (values.ndim - 2))
    total = np.where(mask, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def require_measured(readings: PromptReadings, who: str, needs: Iterable[Need]) -> None:
    """Raise :class:`SettingError` that names the prompts for which what ``who`` needs was not measured."""
    for need in needs:
        lacking = {
            "soft": ~readings.soft,
            "perplexity": (np.isnan(readings.perplexity) & readings.known).any(axis=1),
            "empty": ~np.isfinite(readings.free[:, 0].max(axis=1)),
            "free": ~np.isfinite(readings.free.max(axis=2)).all(axis=1),
        }[need]
        if lacking.any():
            names = [readings.prompts[t] for t in np.flatnonzero(lacking)]
            raise SettingError(f"{who} needs {_REMEDIES[need].format(listed(names))}")


_REMEDIES: Mapping[Need, str] = {
    "soft": "probabilities, but {} only said a label; leave that out, or use ge or zmv without calibration",
    "perplexity": "the perplexity of each filled prompt, which was not measured for {}; measure it or use another",
    "empty": "the answers to the empty input, which were not measured for {}; measure them or use cbm or none",
    "free": "the answers to content-free inputs, which were not measured for {}; measure them or use cbm or none",
}


def _checked(readings: PromptReadings) -> dict[str, NDArray[Any]]:
    """Copies of the arrays, in shape, type and order."""
    t, x, y = readings.shape
    shapes = {"log_unnorm": (t, x, y), "known": (t, x), "soft": (t,), "free": (t, 3, y), "perplexity": (t, x)}
    arrays: dict[str, NDArray[Any]] = {}
    for name, shape in shapes.items():
        kind = np.bool_ if name in ("known", "soft") else np.float64
        arrays[name] = np.array(getattr(readings, name), dtype=kind, order="C")
        if arrays[name].shape != shape:
            raise LabelerError(
                f"{name} has shape {arrays[name].shape}, but {t} prompts, {x} rows and {y} labels need {shape};"
                " gather the readings again"
            )
    if not (t and x and y > 1) or not len(readings.keys) == len(readings.wordings) == t:
        raise LabelerError(f"{readings!r} has nothing to choose from, or keys that are not one per prompt; give more")
    arrays["log_unnorm"] = np.where(arrays["known"][..., None], arrays["log_unnorm"], -np.inf)
    top = arrays["log_unnorm"].max(axis=2)  # NaN wherever a NaN is
    bad = arrays["known"] & ~np.isfinite(top)
    if bad.any():
        which, row = np.argwhere(bad)[0]
        raise LabelerError(
            f"prompt {readings.prompts[which]!r} gives row {row} no finite log-probability; mark the row as unknown"
        )
    return arrays


def listed(names: Sequence[str]) -> str:
    """Names as a sentence says them, the first four."""
    shown = ", ".join(repr(name) for name in names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"
