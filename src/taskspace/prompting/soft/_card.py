"""The model card that lies in a prompt's folder."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskspace.prompting.soft._prompt import SoftPrompt

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")

_BODY = """
# {title}

{what} for `{backbone}`, tuned with [taskspace](https://pypi.org/project/taskspace/).

| | |
|---|---|
{rows}

`adapter_config.json` and `adapter_model.safetensors` are what PEFT reads; `taskspace.json` holds where the prompt
comes from{init}.

```python
import taskspace.prompting.soft as soft

prompt = soft.SoftPrompt.load("path/to/this/folder")
```
{peft}"""

_PEFT = """
```python
from peft import PeftModel

model = PeftModel.from_pretrained(model, "path/to/this/folder")
```
"""


def card_of(prompt: SoftPrompt, task_type: str | None) -> str:
    """README.md with a YAML head; texts of the user go in as JSON strings, which are YAML too."""
    report = prompt.report()
    name = prompt.backbone.name if prompt.backbone else ""
    head: dict[str, object] = {"library_name": "peft", "tags": ["soft-prompt", "taskspace"]}
    if _HUB_NAME.fullmatch(name):
        head["base_model"] = name
    shown = {
        "tasks": ", ".join(f"{weight:g} × {task}" for task, weight in (prompt.weights or {}).items()) or "none",
        "tokens × width": f"{prompt.length} × {prompt.width}",
        "‖P‖": _number(report["norm"]), "‖P₀‖": _number(report["init_norm"]),
        "‖τ‖ = ‖P − P₀‖": _number(report["vector_norm"]), "‖P₀‖ / ‖τ‖": _number(report["ratio"]),
        "rows dropped on import": str(report["dropped_rows"]), "PEFT task type": task_type or "unknown",
    }  # fmt: skip
    yaml = "\n".join(f"{key}: {json.dumps(value)}" for key, value in head.items())
    return f"---\n{yaml}\n---\n" + _BODY.format(
        title=_plain(prompt.name) or "Soft prompt",
        what="A soft prompt" if prompt.layout == "input" else "A prefix of keys and values",
        backbone=_plain(name) or "an unknown backbone",
        rows="\n".join(f"| {key} | {_plain(value)} |" for key, value in shown.items()),
        init="" if prompt.init is None else ", `init.safetensors` where its tuning began",
        peft=_PEFT if task_type else "",
    )


def _plain(text: str) -> str:
    """On one line, and inside one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("`", "'")


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
