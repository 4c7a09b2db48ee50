"""A merge as a file: mergekit's YAML keys, read by our conventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.errors import SettingError, did_you_mean
from taskspace.merging._merge import merge
from taskspace.merging._vector import TaskVector
from taskspace.merging.checkpoint import opened
from taskspace.merging.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = {"linear": "mean", "task_arithmetic": "sum", "dare_linear": "dare"}
"""Methods that mergekit has under another name."""

_KEYS = ("merge_method", "base_model", "models", "parameters", "dtype", "out_dtype", "ignore", "weights")
_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64"}
_ELSEWHERE = ("slices", "modules", "tokenizer", "tokenizer_source", "chat_template")
_NORMALIZE = {"mean": True, "sum": False, "ties": True, "dare": False, "dare_ties": True}
"""What our methods do with weights, where mergekit leaves it to ``normalize``."""


@dataclass(frozen=True)
class Recipe:
    """``models`` by path, merged by ``method`` with ``weights`` (one each, or a rule), times ``scale``."""

    method: str
    models: tuple[str, ...]
    base: str | None = None
    weights: str | tuple[float, ...] = "equal"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    scale: float = 1.0
    dtype: str | None = None
    ignore: tuple[str, ...] = ()

    def vectors(self) -> list[TaskVector]:
        """The differences, adapters among them; nothing is read but headers and samples."""
        base = None if self.base is None else opened(self.base)
        return [_vector(model, base, self.ignore) for model in self.models]

    def merged(self) -> TaskVector:
        """The merged vector, to be applied to the base."""
        return merge(self.vectors(), self.method, self.weights, scale=self.scale, **self.options)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that say it all."""
        return {
            "method": self.method, "models": list(self.models), "base": self.base, "scale": self.scale,
            "weights": self.weights if isinstance(self.weights, str) else list(self.weights),
            "options": dict(self.options), "dtype": self.dtype, "ignore": list(self.ignore),
        }  # fmt: skip


def read_recipe(path: str | Path) -> Recipe:
    """A YAML or JSON file with ``merge_method``, ``base_model``, ``models`` and ``parameters``.

    Where our method does something else than the file asks for, it is refused with the key; any other method of
    mergekit is handed to it.  Raises :class:`SettingError`.
    """
    yaml = require("yaml", extra="merge", why="reading a recipe")
    try:
        said = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"{path} cannot be read ({error.strerror}); check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} is no YAML ({str(error).splitlines()[0]}); the docs show a recipe") from error
    if not isinstance(said, Mapping):
        raise SettingError(f"{path} holds no keys; give merge_method and models at least")
    return recipe_of(said)


def recipe_of(said: Mapping[str, Any]) -> Recipe:
    """The recipe of a file's keys."""
    _require_known(said)
    named = str(said["merge_method"])
    method = NAMES.get(named, named)
    base = said.get("base_model")
    models = [_model(each) for each in said["models"]]
    models = [(path, own) for path, own in models if path != base]  # mergekit lists the base among them
    if not models:
        raise SettingError("the recipe names no model but its base; list what is to be merged under models")
    shared = dict(said.get("parameters") or {})
    if method not in METHODS:
        return _delegated(named, base, models, shared, said)
    options, scale = _options(method, models, shared)
    return Recipe(
        method, tuple(path for path, _ in models), base, _weights(models, shared, said.get("weights")), options,
        scale, _dtype(said), tuple(said.get("ignore") or ()),
    )  # fmt: skip


def _require_known(said: Mapping[str, Any]) -> None:
    for key in said:
        if key in _ELSEWHERE and not (key == "tokenizer_source" and said[key] == "base"):
            raise SettingError(f"{key} is not done here: models are merged tensor by tensor; use mergekit for it")
        if key not in (*_KEYS, "tokenizer_source"):
            raise SettingError(f"a recipe has no key {key!r}{did_you_mean(key, _KEYS)}")
    for key in ("merge_method", "models"):
        if not said.get(key):
            raise SettingError(f"the recipe has no {key}; say it")


def _model(said: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(said, str):
        return said, {}
    if not isinstance(said, Mapping) or not isinstance(said.get("model"), str):
        raise SettingError(f"{said!r} under models is no model; give its path, as model: PATH")
    return said["model"], dict(said.get("parameters") or {})


def _weights(
    models: Sequence[tuple[str, Mapping[str, Any]]], shared: Mapping[str, Any], rule: Any
) -> str | tuple[float, ...]:
    if isinstance(rule, str):
        return rule
    found = [own.get("weight", shared.get("weight", 1.0)) for _, own in models]
    return tuple(_number("weight", value) for value in found)


def _options(
    method: str, models: Sequence[tuple[str, Mapping[str, Any]]], shared: Mapping[str, Any]
) -> tuple[dict[str, Any], float]:
    """Options of our method and its scale; what is said of single models must be one for all, but weights."""
    all_ = {key: value for key, value in shared.items() if key != "weight"}
    for path, own in models:
        for key, value in own.items():
            if key != "weight" and all_.setdefault(key, value) != value:
                raise SettingError(f"{key} is {value} for {path} and {all_[key]} elsewhere; {method} takes one for all")
    for key in ("int8_mask", "rescale"):  # of how mergekit computes, or always done here
        if not all_.pop(key, True) and key == "rescale":
            raise SettingError(f"rescale is false, and {method} rescales; leave it out")
    normalize = all_.pop("normalize", _NORMALIZE.get(method))
    if normalize != _NORMALIZE.get(method):
        raise SettingError(f"normalize is {normalize}, and {method} has it the other way; use mean or sum instead")
    scale = _number("lambda", all_.pop("lambda", 1.0))
    if "t" in all_:
        all_["alpha"] = _number("t", all_.pop("t"))
    return all_, scale


def _delegated(
    named: str, base: str | None, models: Sequence[tuple[str, Mapping[str, Any]]], shared: Mapping[str, Any],
    said: Mapping[str, Any],
) -> Recipe:  # fmt: skip
    """A method of mergekit: parameters of single models go by their place."""
    own = {key for _, parameters in models for key in parameters} - {"weight"}
    options = dict(shared)
    for key in own:
        options[key] = {i: parameters.get(key, shared.get(key)) for i, (_, parameters) in enumerate(models, start=1)}
    options.pop("weight", None)
    method = named if named.startswith("mergekit:") else f"mergekit:{named}"
    weights = _weights(models, shared, said.get("weights"))
    ignore = tuple(said.get("ignore") or ())
    return Recipe(method, tuple(path for path, _ in models), base, weights, options, 1.0, _dtype(said), ignore)


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SettingError(f"{key} is {value!r}; give one number (values by layer or by filter are not read)")
    return float(value)


def _dtype(said: Mapping[str, Any]) -> str | None:
    named = said.get("out_dtype") or said.get("dtype")
    if named is None:
        return None
    if named not in _DTYPES:
        raise SettingError(f"dtype is {named!r}{did_you_mean(str(named), _DTYPES)}")
    return _DTYPES[named]


def _vector(model: str, base: Any, ignore: tuple[str, ...]) -> TaskVector:
    if (Path(model) / "adapter_config.json").is_file():
        return TaskVector.from_peft(model, base=base)
    return TaskVector.diff(model, base, ignore=ignore)
