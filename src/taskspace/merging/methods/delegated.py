"""Methods of mergekit (0.1.5 or newer, LGPL-3.0), by their own names and parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.errors import SettingError, WeightsError, did_you_mean
from taskspace.merging.carriers import Difference
from taskspace.merging.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.merging.checkpoint import Weights
    from taskspace.merging.methods._method import Combine, Inputs

_WHY = "a method of mergekit"


@dataclass(frozen=True, eq=False)
class Delegated:
    """``mergekit:NAME``: each tensor is handed over with its base, and the base taken off what comes back.

    Weights go in as mergekit's ``weight`` where the method has one.  Vectors must be differences of checkpoints to one
    base, since these methods see models and not differences.
    """

    name: str
    parameters: Mapping[str, Any]

    whole = True

    def over(self, inputs: Inputs) -> Combine:
        method = _method(self.name)
        tuned, base = _models(inputs)
        takes = {spec.name for spec in method.spec.parameters}
        for given in self.parameters:
            if given not in takes:
                raise SettingError(f"{self.name} of mergekit has no parameter {given!r}{did_you_mean(given, takes)}")
        weight = {"weight": dict(enumerate(inputs.weights, start=1))} if "weight" in takes else {}
        parameters = {**weight, **self.parameters}

        def combine(window: Window) -> NDArray[Any]:
            spec = inputs.layout[window.name]
            whole = Window(window.name, 0, spec.size)
            under = whole.of(base)
            models = [whole.of(weights).reshape(spec.shape) for weights in tuned]
            merged = _merged(method, under.reshape(spec.shape), models, parameters, window.name)
            return (merged.reshape(-1) - under)[window.start : window.stop]

        return combine


def _method(name: str) -> Any:
    found = require("mergekit.merge_methods.registry", extra="mergekit", why=_WHY)
    try:
        return found.get(name)
    except RuntimeError as error:
        known = [method.spec.name for method in found.registered_methods()]
        raise SettingError(f"mergekit has no method {name!r}{did_you_mean(name, known)}") from error


def _models(inputs: Inputs) -> tuple[list[Weights], Weights]:
    tuned: list[Weights] = []
    bases: dict[int, Weights] = {}
    for carrier in inputs.carriers:
        if not isinstance(carrier, Difference) or carrier.base is None:
            raise WeightsError("a method of mergekit sees models, not sums or adapters; give differences to a base")
        tuned.append(carrier.tuned)
        bases[id(carrier.base)] = carrier.base
    return tuned, next(iter(bases.values()))  # vectors that are merged have bases of equal digests


def _merged(
    method: Any, base: NDArray[Any], models: Sequence[NDArray[Any]], parameters: Mapping[str, Any], name: str
) -> NDArray[Any]:
    torch = require("torch", extra="embed", why=_WHY)
    api = require("mergekit.merge_methods.api", extra="mergekit", why=_WHY)
    without = method.spec.contract.base.value not in ("required", "optional")  # the others see an input like any other
    given = [*([] if without else [base]), *models]
    ids = list(range(1 if without else 0, len(models) + 1))
    with torch.no_grad():
        merged = api.merge_tensors(
            [torch.tensor(array) for array in given], method, parameters=dict(parameters), ids=ids,
            base_index=None if without else 0, name=name,
        )  # fmt: skip
    return merged.float().numpy()
