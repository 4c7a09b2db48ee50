"""What the surrogate and its tuned copies make of rows, computed once and kept as files."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace._files import replacing
from taskspace.bench.transfer import tuned_source
from taskspace.bench.transfer.weights import model_file
from taskspace.errors import DataError
from taskspace.ranking.estimators import SpaceMap, fit_map
from taskspace.tuning.fine_tuning import FineTuned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.surrogates import Surrogate
    from taskspace.task import Inputs


@final
class Features:
    """Mean last-layer states float32[n, hidden], the two texts of a pair read together; one ``.npy`` per table.

    ``truth`` is the folder of ``taskspace bench transfer`` that keeps the tuned sources; None where there is none.  A
    table that is there is read, whoever made it; so a run that was stopped goes on where it was.
    """

    def __init__(self, surrogate: Surrogate, folder: Path, truth: Path | None = None) -> None:
        self._surrogate = surrogate
        self._folder = folder
        self._truth = truth
        self._loaded: tuple[str, Any] | None = None
        self._keys: dict[str, str] = {}

    @property
    def width(self) -> int:
        return self._surrogate.hidden

    def tuned_sources(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` whose tuned model is there."""
        truth = self._truth
        return [] if truth is None else [name for name in names if model_file(truth, name).is_file()]

    def base(self, inputs: Inputs) -> NDArray[np.float32]:
        """The surrogate's own."""
        return self._kept(self._surrogate.fingerprint, inputs, lambda: self._surrogate.last_states(inputs))

    def tuned(self, name: str, inputs: Inputs) -> NDArray[np.float32]:
        """Those of the surrogate as it was tuned on source ``name``."""
        return self._kept(self._key(name), inputs, lambda: self._states(name, inputs))

    def prepare(
        self, names: Sequence[str], wanted: Mapping[str, Sequence[Inputs]], tell: Callable[[str], None]
    ) -> None:
        """Compute what is missing of each tuned source's ``wanted`` tables, one model after the other."""
        for number, name in enumerate(names, 1):
            missing = [inputs for inputs in wanted[name] if not self._file(self._key(name), inputs).is_file()]
            for inputs in missing:
                self.tuned(name, inputs)
            if missing:
                tell(f"features: source {number} of {len(names)}, {name}: {sum(map(len, missing))} rows")

    def head(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weight float32[classes, hidden] and bias float32[classes] of a tuned source; no other tensor is read."""
        from safetensors import safe_open

        with safe_open(str(self._file_of(name)), framework="numpy") as file:
            return file.get_tensor("head.weight"), file.get_tensor("head.bias")

    def _kept(self, key: str, inputs: Inputs, compute: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        path = self._file(key, inputs)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            states = compute()
            with replacing(path) as partial:
                np.save(partial, states)
        return np.load(path)

    def _file(self, key: str, inputs: Inputs) -> Path:
        rows = hashlib.sha256(key.encode() + b"".join(inputs.digests)).hexdigest()
        return self._folder / f"{rows[:24]}.npy"

    def _key(self, name: str) -> str:
        """Of the tuned weights and the way of reading."""
        if name not in self._keys:
            with self._file_of(name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
            self._keys[name] = digest.hexdigest() + self._surrogate.fingerprint
        return self._keys[name]

    def _file_of(self, name: str) -> Path:
        if self._truth is None or not (path := model_file(self._truth, name)).is_file():
            raise DataError(f"there is no tuned model of {name!r}; make it with 'taskspace bench transfer'")
        return path

    def _states(self, name: str, inputs: Inputs) -> NDArray[np.float32]:
        if self._loaded is None or self._loaded[0] != name:
            state = tuned_source(self._file_of(name).parents[1], name)
            assert state is not None  # noqa: S101  # looked at just now
            self._loaded = (name, FineTuned.of(self._surrogate, state).body)
        return self._surrogate.last_states(inputs, self._loaded[1])


@final
class TunedSource:
    """A source model that a signal may run: features and answers from what was computed once."""

    def __init__(self, features: Features, name: str) -> None:
        self._features = features
        self._name = name

    def features(self, inputs: Inputs) -> NDArray[np.float32]:
        return self._features.tuned(self._name, inputs)

    def probabilities(self, inputs: Inputs) -> NDArray[np.float64]:
        weight, bias = self._head
        logits = (self.features(inputs) @ weight.T + bias).astype(np.float64)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    @cached_property
    def _head(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._features.head(self._name)


def map_of(features: Features, name: str, inputs: Inputs) -> SpaceMap:
    """What tuning did to the features of the source's own rows, as a linear map (ESM)."""
    return fit_map(features.base(inputs), features.tuned(name, inputs))
