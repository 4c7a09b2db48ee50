"""Methods of mergekit (0.1.5 or newer, LGPL-3.0), by their own names and parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from taskspace._extras import require
from taskspace.errors import SettingError, WeightsError, did_you_mean
from taskspace.merging.carriers import Difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.merging.checkpoint import Weights
    from taskspace.merging.methods._method import Combine, Inputs
    from taskspace.merging.window import Window

_WHY: Final = "a method of mergekit"
_SEED: Final = "seed"
"""Ours beside mergekit's own parameters, which draw from one stream for the whole run."""


@dataclass(frozen=True, eq=False)
class Delegated:
    """``mergekit:NAME``: each tensor is handed over with its base, and the base taken off what comes back.

    Weights go in as mergekit's ``weight`` where the method has one.  A parameter is one value, or one for each model by
    its place from 1.  Methods that draw at random do so by ``seed`` and the tensor's name, so that neither the order of
    tensors nor an interrupted run matters.  Vectors must be differences of checkpoints to one base, or whole models
    where the method asks for no base, since these methods see models and not differences.
    """

    name: str
    parameters: Mapping[str, Any]

    whole = True

    def over(self, inputs: Inputs) -> Combine:
        method = _method(self.name)
        tuned, base = _models(inputs, method)
        handing = _Handing(method, _bound(method, self.parameters, inputs.weights), self._seed(), base is not None)
        handing.rehearse(len(tuned))

        def combine(window: Window) -> NDArray[Any]:
            spec = inputs.layout[window.name]
            whole = window.whole(spec)
            models = [whole.of(weights).reshape(spec.shape) for weights in tuned]
            under = None if base is None else whole.of(base).reshape(spec.shape)
            merged = handing.merged(models, under, window.name) if spec.size else models[0]
            delta = merged if under is None else merged - under
            return delta.reshape(-1)[window.start : window.stop]

        return combine

    def _seed(self) -> int:
        seed = self.parameters.get(_SEED, 0)
        if not isinstance(seed, int):
            raise SettingError(f"the seed is {seed!r}; give a whole number")
        return seed


@dataclass(frozen=True, eq=False)
class _Handing:
    """What goes with every tensor; models have the places 1, 2, … and their base has 0."""

    method: Any
    parameters: Mapping[str, Any]
    seed: int
    based: bool

    def rehearse(self, count: int) -> None:
        """On a few numbers, so that what mergekit refuses is refused before a model is read."""
        drawn = np.random.default_rng(0).standard_normal((count + 1, 4, 4), dtype=np.float32)
        self.merged(list(drawn[1:]), drawn[0] if self.based else None, "weight")

    def merged(self, models: Sequence[NDArray[Any]], base: NDArray[Any] | None, name: str) -> NDArray[Any]:
        """The merged model, not its difference; raises :class:`SettingError` with what mergekit says against it."""
        torch = require("torch", extra="embed", why=_WHY)
        api = require("mergekit.merge_methods.api", extra="mergekit", why=_WHY)
        seen = base is not None and _takes_base(self.method)
        given = [base, *models] if seen else models
        ids = range(0 if seen else 1, len(models) + 1)
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(_drawn_by(self.seed, name))
                found = api.merge_tensors(
                    [torch.tensor(array) for array in given], self.method, parameters=dict(self.parameters),
                    ids=list(ids), base_index=0 if seen else None, name=name,
                )  # fmt: skip
        except (TypeError, ValueError, RuntimeError) as error:
            raise SettingError(
                f"{self.method.spec.name} of mergekit cannot merge {name!r} of {len(models)} models"
                f"{' and their base' if seen else ''} ({_first_sentence(error)}); see what it takes in mergekit's docs"
            ) from error
        return found.numpy()


def _method(name: str) -> Any:
    found = require("mergekit.merge_methods.registry", extra="mergekit", why=_WHY)
    known = {method.spec.name: method for method in found.registered_methods()}
    if name not in known:
        raise SettingError(f"mergekit has no method {name!r}{did_you_mean(name, known)}")
    return known[name]


def _takes_base(method: Any) -> bool:
    return method.spec.contract.base.value in ("required", "optional")


def _models(inputs: Inputs, method: Any) -> tuple[list[Weights], Weights | None]:
    """The checkpoints behind the vectors, and their one base."""
    needed = method.spec.contract.base.value == "required"
    found = [carrier for carrier in inputs.carriers if isinstance(carrier, Difference)]
    bases = [difference.base for difference in found]
    if len(found) < len(inputs.carriers) or (None in bases and (needed or any(bases))):
        raise WeightsError(
            "a method of mergekit sees models, not sums or adapters; give differences of checkpoints to one base"
        )
    return [difference.tuned for difference in found], bases[0]  # merge() lets only bases of equal digests meet


def _bound(method: Any, given: Mapping[str, Any], weights: Sequence[float]) -> dict[str, Any]:
    """The parameters of mergekit, each with a value that it takes."""
    takes = {spec.name: spec for spec in method.spec.parameters}
    told = {**({"weight": dict(enumerate(weights, start=1))} if "weight" in takes else {}), **given}
    if _SEED not in takes:
        told.pop(_SEED, None)
    for key in told:
        if key not in takes:
            raise SettingError(f"{method.spec.name} of mergekit has no parameter {key!r}{did_you_mean(key, takes)}")
    return {key: _value(takes[key], value, len(weights)) for key, value in told.items()}


def _value(spec: Any, value: Any, count: int) -> Any:
    """One value, or one for each place; a model that says nothing has mergekit's default."""
    if isinstance(value, Mapping):
        said = {int(place): each for place, each in value.items() if str(place).isdigit() and each is not None}
        places = range(1, count + 1)
        if said.keys() <= set(places) and (said.keys() == set(places) or not spec.required):
            return {place: _checked(spec, said.get(place, spec.default)) for place in places}
        raise SettingError(f"{spec.name} is {dict(value)}; give one value, or one for each place from 1 to {count}")
    if isinstance(value, Sequence) and not isinstance(value, str):
        raise SettingError(
            f"{spec.name} is {list(value)}; give one value, or one for each model by its place, such as {{1: 0.5, 2:"
            " 0.3}} (values by layer or by filter are not read)"
        )
    return _checked(spec, value)


def _checked(spec: Any, value: Any) -> Any:
    try:
        return spec.validate(value)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{spec.name} is {value!r}; mergekit says: {_first_sentence(error)}") from error


def _drawn_by(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "little")


def _first_sentence(error: Exception) -> str:
    """What it says, on one line: pydantic and torch say more on the next ones."""
    told = getattr(error, "errors", None)
    said = str(told()[0]["msg"]) if callable(told) else str(error)  # pyright: ignore[reportIndexIssue, reportUnknownArgumentType, reportUnknownVariableType]  # a list of mappings, where pydantic says it
    return said.partition("\n")[0].partition(". ")[0].rstrip(".") or type(error).__name__
