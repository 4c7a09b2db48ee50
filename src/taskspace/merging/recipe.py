"""A merge as a file: mergekit's YAML keys, read by our conventions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskspace._extras import require
from taskspace.errors import SettingError
from taskspace.merging import _keys as keys
from taskspace.merging._agreement import matches
from taskspace.merging._merge import merge
from taskspace.merging._vector import TaskVector
from taskspace.merging.checkpoint import SAVED, metadata, opened
from taskspace.merging.located import located
from taskspace.merging.methods import METHODS, method_named

BETWEEN = ("mean", "lerp", "slerp", "ema", "lore")
"""Methods whose result lies between what they are given, which may then be models."""

_OURS = frozenset({"vectors", "method", "weights", "scale"})
"""What :func:`merge` takes itself, and no method can have as an option."""


@dataclass(frozen=True)
class Recipe:
    """``models`` by path or Hub id, merged by ``method`` with ``weights`` (one each, or a rule), times ``scale``.

    ``fitted`` tells what the weights were learned on, where they were.
    """

    method: str
    models: tuple[str, ...]
    base: str | None = None
    weights: str | tuple[float, ...] = "equal"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    scale: float = 1.0
    dtype: str | None = None
    ignore: tuple[str, ...] = ()
    fitted: tuple[str, ...] = ()

    def vectors(self) -> list[TaskVector]:
        """The differences, adapters among them; nothing is read but headers and samples."""
        base = None if self.base is None else opened(self.base)
        return [_vector(model, name, base, self.ignore) for model, name in zip(self.models, self.names(), strict=True)]

    def names(self) -> list[str]:
        """The last part of each path, or as many of its last parts as tell them apart."""
        paths = [Path(model.removesuffix(".safetensors")) for model in self.models]
        for count in range(1, max((len(path.parts) for path in paths), default=1) + 1):
            names = ["/".join(path.parts[-count:]) for path in paths]
            if len(set(names)) == len(names):
                return names
        return list(self.models)

    def merged(self) -> TaskVector:
        """The merged vector, to be applied to the base.

        Raises :class:`SettingError` for options that the method has not, and for what needs a base and has none.
        """
        method_named(self.method, **self.options)
        if taken := sorted(_OURS & self.options.keys()):
            raise SettingError(f"{taken[0]} is no option of {self.method}; say it beside the options")
        if self.base is None:
            self._require_whole_models()
        return merge(self.vectors(), self.method, self.weights, scale=self.scale, **self.options)

    def _require_whole_models(self) -> None:
        """Without a base there are the models themselves, and what lies between them."""
        if self.method in METHODS and self.method not in BETWEEN:
            raise SettingError(
                f"{self.method} adds differences to a base, and none was given; give the base, or merge the models"
                f" themselves by {', '.join(BETWEEN)}"
            )
        if self.scale != 1:
            raise SettingError(
                f"scale is {self.scale:g}, which without a base would make the model itself smaller or larger; give"
                " the base"
            )
        for model in self.models:
            if kind := _difference(located(model)):
                raise SettingError(f"{model} is {kind}, which is a difference and no model; give the base too")

    def to_dict(self) -> dict[str, Any]:
        """Plain values that say it all."""
        return {
            "method": self.method, "models": list(self.models), "base": self.base, "scale": self.scale,
            "weights": self.weights if isinstance(self.weights, str) else list(self.weights),
            "options": dict(self.options), "dtype": self.dtype, "ignore": list(self.ignore),
            "fitted": list(self.fitted),
        }  # fmt: skip


def read_recipe(path: str | Path) -> Recipe:
    """A YAML or JSON file with ``merge_method``, ``base_model``, ``models`` and ``parameters``.

    Where our method does something else than the file asks for, it is refused with the key; any other method of
    mergekit is handed to it.  Raises :class:`SettingError`.
    """
    yaml = require("yaml", extra="merge", why="reading a recipe")
    try:
        said = _parsed(yaml, Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"{path} cannot be read ({error.strerror}); check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} is no YAML ({str(error).splitlines()[0]}); the docs show a recipe") from error
    if not isinstance(said, Mapping):
        raise SettingError(f"{path} holds no keys; give merge_method and models at least")
    return recipe_of(said)


def _parsed(yaml: Any, text: str) -> Any:
    """JSON by its own rules: 1e-06 is a number there, and a word in YAML."""
    try:
        return json.loads(text)
    except ValueError:
        return yaml.safe_load(text)


def recipe_of(said: Mapping[str, Any]) -> Recipe:
    """The recipe of a file's keys."""
    keys.require_known(said)
    named, base = str(said["merge_method"]), said.get("base_model")
    method = keys.NAMES.get(named, named)
    listed = [keys.model(each) for each in keys.listed(said, "models")]
    models = [(path, own) for path, own in listed if path != base]
    if not models:
        raise SettingError("the recipe names no model but its base; list what is to be merged under models")
    shared = keys.parameters(said)
    if method == "slerp" and base is not None and len(models) == 1:
        models, base = [(base, {}), *models], None  # mergekit's arc runs from the base to the model
    if method == "mean":
        models = listed  # a base that is listed counts: as a difference of zero, with its weight
    if method in METHODS:
        options, scale = keys.options(method, models, shared)
    else:
        method = named if named.startswith("mergekit:") else f"mergekit:{named}"
        options, scale = keys.handed_over(models, shared), 1.0
    return Recipe(
        method, tuple(path for path, _ in models), base, keys.weights(models, shared, said.get("weights")), options,
        scale * keys.number("scale", said.get("scale", 1.0)), keys.dtype(said), keys.ignored(said), keys.fitted(said),
    )  # fmt: skip


def _vector(model: str, name: str, base: Any, ignore: tuple[str, ...]) -> TaskVector:
    place = located(model)
    kind = _difference(place)
    if kind == _SAVED:
        return _loaded(place, ignore)
    if kind == _ADAPTER:
        return TaskVector.from_peft(place, base=base, name=name, ignore=ignore)
    return TaskVector.diff(model, base, name=name, ignore=ignore)


_ADAPTER, _SAVED = "an adapter", "a saved vector"


def _difference(place: Path) -> str:
    """What kind of difference lies there; nothing for a model."""
    if (place / "adapter_config.json").is_file():
        return _ADAPTER
    return _SAVED if place.is_file() and SAVED in metadata(place) else ""


def _loaded(place: Path, ignore: tuple[str, ...]) -> TaskVector:
    """A saved vector, under the names and weights of what it was made of."""
    vector = TaskVector.load(place)
    if held := next((name for name in vector.layout if matches(name, ignore)), None):
        raise SettingError(f"{place} is a saved vector that changes {held!r}; save it again without what is ignored")
    return vector
