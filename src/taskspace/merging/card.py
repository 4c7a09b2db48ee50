"""The page that goes with a merged model: what went in, how, and how to do it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from taskspace._version import __version__

if TYPE_CHECKING:
    from taskspace.merging._vector import TaskVector
    from taskspace.merging.recipe import Recipe


def card(recipe: Recipe, merged: TaskVector, name: str) -> str:
    """Markdown with the head that the Hub reads."""
    weights = "\n".join(f"| {task} | {weight:g} |" for task, weight in merged.weights.items())
    options = ", ".join(f"{key} {value}" for key, value in recipe.options.items()) or "none"
    base = recipe.base or "none"
    return f"""---
tags: [merge, taskspace]
base_model: {json.dumps(base)}
---

# {name}

A merge of {len(recipe.models)} models by `{recipe.method}` (options: {options}; scale {recipe.scale:g}), on the base
`{base}`. Nothing was trained for it, and nothing is known of what it can do until it is tried.

| model | weight |
|---|---|
{weights}

Made with taskspace {__version__}. The same recipe gives the same bytes:

```json
{json.dumps(recipe.to_dict(), indent=2)}
```
"""
