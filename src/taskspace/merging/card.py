"""The page that goes with a merged model: what went in, how, and how to do it again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from taskspace._version import __version__
from taskspace.merging.spelled import spelled

if TYPE_CHECKING:
    from taskspace.merging._vector import TaskVector
    from taskspace.merging.recipe import Recipe

_HUB = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
"""What the Hub takes for the name of a model; it refuses a card that names another path."""


def card(recipe: Recipe, merged: TaskVector, name: str) -> str:
    """Markdown with the head that the Hub reads."""
    weights = "\n".join(f"| {task} | {weight:g} |" for task, weight in merged.weights.items())
    options = ", ".join(f"{key} {value}" for key, value in recipe.options.items()) or "none"
    on = f"on the base\n`{recipe.base}`" if recipe.base else "themselves,\nwithout a base"
    return f"""---
tags: [merge, taskspace]
{_known(recipe.base)}---

# {name}

A merge of {len(recipe.models)} models by `{recipe.method}` (options: {options}; scale {recipe.scale:g}), {on}.
{_trained(recipe)}, and nothing is known of what it can do until it is tried.

| model | weight |
|---|---|
{weights}

Made with taskspace {__version__}. With this in a file, `taskspace merge --recipe FILE` gives the same bytes:

```json
{json.dumps(spelled(recipe), indent=2)}
```
"""


def _known(base: str | None) -> str:
    """The base's name on the Hub, where it has one: a folder of that name is no model there."""
    name = (base or "").partition("@")[0]
    return f"base_model: {json.dumps(name)}\n" if _HUB.fullmatch(name) and not Path(name).exists() else ""


def _trained(recipe: Recipe) -> str:
    if not recipe.fitted:
        return "Nothing was trained for it"
    return f"Its weights were fitted on {', '.join(recipe.fitted)}; nothing else was trained for it"
