"""The keys of a recipe, each read or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from taskspace.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = {"linear": "mean", "task_arithmetic": "sum", "dare_linear": "dare"}
"""Methods that mergekit has under another name."""

_THEIRS = {ours: theirs for theirs, ours in NAMES.items()}

_KEYS = (
    "merge_method", "base_model", "models", "parameters", "dtype", "out_dtype", "ignore", "weights", "scale", "fitted",
)  # fmt: skip
DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64"}
_ELSEWHERE = ("slices", "modules", "tokenizer", "tokenizer_source", "chat_template")
_SWITCHES = {
    "normalize": {"mean": True, "sum": False, "ties": True, "dare": False, "dare_ties": True},
    "rescale": {"mean": False, "sum": False, "ties": False, "dare": True, "dare_ties": True},
}
"""What our methods do with weights and with what is left after dropping, where mergekit leaves it to a key."""

_UNSAID = {"normalize": {"dare_ties": False}}
"""What mergekit does where a file says nothing, and we do not."""

_TRIMMED = ("ties", "dare", "dare_ties")
"""Methods of which mergekit keeps all numbers unless a file says a density."""


def require_known(said: Mapping[str, Any]) -> None:
    """Raise :class:`SettingError` for a key that is not read here, and where one that is needed is not there."""
    for key in said:
        if key in _ELSEWHERE and not (key == "tokenizer_source" and said[key] == "base"):
            raise SettingError(f"{key} is not done here: models are merged tensor by tensor; use mergekit for it")
        if key not in (*_KEYS, "tokenizer_source"):
            raise SettingError(f"a recipe has no key {key!r}{did_you_mean(key, _KEYS)}")
    for key in ("merge_method", "models"):
        if not said.get(key):
            raise SettingError(f"the recipe has no {key}; say it")
    if not isinstance(said.get("base_model"), str | None):
        raise SettingError(f"base_model is {said['base_model']!r}; give the path of a model")


def listed(said: Mapping[str, Any], key: str) -> list[Any]:
    """The items under a key."""
    if not isinstance(said[key], list):
        raise SettingError(f"{key} is {said[key]!r}; give a list, one item a line after a dash")
    return said[key]


def parameters(said: Mapping[str, Any]) -> dict[str, Any]:
    """What stands under ``parameters``, of a model or of all."""
    found = said.get("parameters") or {}
    if not isinstance(found, Mapping):
        raise SettingError(f"parameters is {found!r}; give keys with values, such as density: 0.2")
    return dict(found)


def model(said: Any) -> tuple[str, dict[str, Any]]:
    """A path and the parameters of that model alone."""
    if isinstance(said, str):
        return said, {}
    if not isinstance(said, Mapping) or not isinstance(said.get("model"), str):
        raise SettingError(f"{said!r} under models is no model; give its path, as model: PATH")
    return said["model"], parameters(said)


def weights(
    models: Sequence[tuple[str, Mapping[str, Any]]], shared: Mapping[str, Any], rule: Any
) -> str | tuple[float, ...]:
    """Of single models, or of all; ``weights`` on top is a rule by name, or one number each."""
    if isinstance(rule, str):
        return rule
    if rule is None and not any("weight" in said for said in (shared, *(own for _, own in models))):
        return "equal"
    if rule is None:
        found = [own.get("weight", shared.get("weight", 1.0)) for _, own in models]
        return tuple(number("weight", value) for value in found)
    if not isinstance(rule, list) or any("weight" in own for _, own in models):
        raise SettingError(f"weights is {rule!r}; give the name of a rule, or a list, and no weight of single models")
    return tuple(number("weights", value) for value in rule)


def options(
    method: str, models: Sequence[tuple[str, Mapping[str, Any]]], shared: Mapping[str, Any]
) -> tuple[dict[str, Any], float]:
    """Options of our method and its scale; what is said of single models must be one for all, but weights."""
    all_ = {key: value for key, value in shared.items() if key != "weight"}
    for path, own in models:
        for key, value in own.items():
            if key != "weight" and all_.setdefault(key, value) != value:
                raise SettingError(f"{key} is {value} for {path} and {all_[key]} elsewhere; {method} takes one for all")
    all_.pop("int8_mask", None)  # of how mergekit computes
    for key, ours in _SWITCHES.items():
        _require_same(key, all_.pop(key, _UNSAID.get(key, {}).get(method, ours.get(method))), ours.get(method), method)
    if method in _TRIMMED:
        all_.setdefault("density", 1.0)
    elif method == "sum" and all_.get("density") == 1:
        all_.pop("density")
    scale = number("lambda", all_.pop("lambda", 1.0))
    if "t" in all_:
        all_["alpha"] = number("t", all_.pop("t"))
    return all_, scale


def _require_same(key: str, said: Any, ours: bool | None, method: str) -> None:
    if ours is not None and said != ours:
        raise SettingError(
            f"{key} is {said} here, and {method} has it {ours}; say {key}: {str(ours).lower()}, or let mergekit do it"
            f" as merge_method: mergekit:{_THEIRS.get(method, method)}"
        )
    if ours is None and said is not None:
        raise SettingError(f"{method} has no {key}; leave it out")


def handed_over(models: Sequence[tuple[str, Mapping[str, Any]]], shared: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a method of mergekit: parameters of single models go by their place."""
    found = {key: value for key, value in shared.items() if key != "weight"}
    for key in sorted({key for _, own in models for key in own} - {"weight"}):
        found[key] = {place: own.get(key, shared.get(key)) for place, (_, own) in enumerate(models, start=1)}
    return found


def dtype(said: Mapping[str, Any]) -> str | None:
    """Of what is written: ``out_dtype``, else ``dtype``."""
    named = said.get("out_dtype") or said.get("dtype")
    if named is None:
        return None
    if named not in DTYPES:
        raise SettingError(f"dtype is {named!r}{did_you_mean(str(named), DTYPES)}")
    return DTYPES[named]


def ignored(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Patterns of tensors, of which one may stand without a list."""
    return _texts(said, "ignore", "patterns of tensors, such as classifier.*")


def fitted(said: Mapping[str, Any]) -> tuple[str, ...]:
    """What the weights were learned on, for those who read it."""
    return _texts(said, "fitted", "what the weights were fitted on")


def _texts(said: Mapping[str, Any], key: str, wanted: str) -> tuple[str, ...]:
    found = said.get(key) or []
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise SettingError(f"{key} is {found!r}; give {wanted}")
    return tuple(texts)


def number(key: str, value: Any) -> float:
    """One finite number or another, and no list."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SettingError(f"{key} is {value!r}; give one number (values by layer or by filter are not read)")
    return float(value)
