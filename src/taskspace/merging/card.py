"""The page that goes with a merged model: what went in, how, and how to do it again."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from taskspace._version import __version__

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
    known = f"base_model: {json.dumps(recipe.base)}\n" if recipe.base and _HUB.fullmatch(recipe.base) else ""
    return f"""---
tags: [merge, taskspace]
{known}---

# {name}

A merge of {len(recipe.models)} models by `{recipe.method}` (options: {options}; scale {recipe.scale:g}), {on}.
Nothing was trained for it, and nothing is known of what it can do until it is tried.

| model | weight |
|---|---|
{weights}

Made with taskspace {__version__}. The same recipe gives the same bytes:

```json
{json.dumps(recipe.to_dict(), indent=2)}
```
"""
