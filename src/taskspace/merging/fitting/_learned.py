"""A recipe whose weights are learned, so that what comes of it can be made again without the rows."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING

from taskspace.errors import SettingError, did_you_mean
from taskspace.merging.checkpoint import opened
from taskspace.merging.fitting._fit import fit
from taskspace.merging.fitting._rows import rows_objective
from taskspace.merging.located import model_folder
from taskspace.merging.methods._table import require_kind
from taskspace.task import Pool, Task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from taskspace.merging.recipe import Recipe

_OF_A_MODEL = ("task", "share")
"""Pieces that come to one weight for each model."""
_SETTINGS = ("pieces", "optimiser", "steps", "rate", "penalty", "begin")


def learned(recipe: Recipe, rows: Sequence[Path], *, head: str | Path | None = None, labelled: bool = True) -> Recipe:
    """A recipe of :class:`~taskspace.merging.methods.sums.Sum` with the weights that suit ``rows`` best.

    Each file of rows counts alike, by its labels or by its texts alone (:func:`rows_objective`); ``head`` is the folder
    of a model that answers them, by default the base.  The recipe's options are those of :func:`fit`.

    Raises :class:`SettingError` for what :func:`unlearned` refuses.
    """
    plain = unlearned(recipe)
    assert plain.base is not None  # or it would have been refused
    read = Task.from_file if labelled else Pool.from_file
    folder = model_folder(head or plain.base)
    wanted = [rows_objective(folder, read(file)) for file in rows]
    vectors = [replace(vector, weights={str(i): 1.0}) for i, vector in enumerate(plain.vectors())]
    found = fit(vectors, opened(plain.base), wanted, **recipe.options).vector.weights
    by = "labels" if labelled else "texts alone"
    return replace(
        plain,
        weights=tuple(found.get(str(i), 0.0) for i in range(len(vectors))),
        fitted=tuple(f"{file.name} (by its {by})" for file in rows),
    )


def unlearned(recipe: Recipe) -> Recipe:
    """The recipe before anything is learned, without the options of :func:`fit`: what it takes is told by this.

    Raises :class:`SettingError` for another method, weights that are given, and options that ``fit`` has not.
    """
    if recipe.method != "sum" or recipe.weights != "equal" or recipe.base is None:
        raise SettingError("weights are learned for a sum of differences; give a base, and no method or weights")
    if recipe.scale != 1:
        raise SettingError(
            f"scale is {recipe.scale:g}, and weights are learned for what is added as it is; leave the scale out"
        )
    takes = inspect.signature(fit).parameters
    for name, value in recipe.options.items():
        if name not in _SETTINGS:
            raise SettingError(f"learning weights has no option {name!r}{did_you_mean(name, _SETTINGS)}")
        require_kind("learning weights", name, value, str(takes[name].annotation))
    if recipe.options.get("pieces", "task") not in _OF_A_MODEL:
        raise SettingError(f"pieces is {recipe.options['pieces']!r}; say task or share, which give each model a weight")
    return replace(recipe, options={})
