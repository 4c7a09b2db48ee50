"""A recipe as the keys of a file, from which it can be read again."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from taskspace.merging._keys import DTYPES
from taskspace.merging.methods import METHODS, method_named

if TYPE_CHECKING:
    from taskspace.merging.recipe import Recipe


def spelled(recipe: Recipe) -> dict[str, Any]:
    """What :func:`~taskspace.merging.recipe.recipe_of` reads as the same merge, defaults of the method said too.

    So a file does not depend on what the defaults of a later version are.
    """
    found = {
        "merge_method": recipe.method,
        "base_model": recipe.base,
        "models": _models(recipe),
        "parameters": _parameters(recipe),
        "weights": recipe.weights if isinstance(recipe.weights, str) and recipe.weights != "equal" else None,
        "scale": recipe.scale if recipe.method not in METHODS and recipe.scale != 1 else None,
        "out_dtype": {ours: theirs for theirs, ours in DTYPES.items()}.get(recipe.dtype or ""),
        "ignore": list(recipe.ignore),
        "fitted": list(recipe.fitted),
    }
    return {key: value for key, value in found.items() if value}


def _models(recipe: Recipe) -> list[Any]:
    if isinstance(recipe.weights, str):
        return list(recipe.models)
    weighted = zip(recipe.models, recipe.weights, strict=True)
    return [{"model": model, "parameters": {"weight": weight}} for model, weight in weighted]


def _parameters(recipe: Recipe) -> dict[str, Any]:
    if recipe.method not in METHODS:  # mergekit's own
        return dict(recipe.options)
    method = method_named(recipe.method, **recipe.options)
    said: dict[str, Any] = {field.name: getattr(method, field.name) for field in fields(method)}  # pyright: ignore[reportArgumentType]  # every method of the table is a dataclass
    if recipe.method == "dare_ties":
        said["normalize"] = True  # which a file of mergekit must say to mean ours
    if recipe.scale != 1:
        said["lambda"] = recipe.scale
    return {key: value for key, value in said.items() if value is not None}
