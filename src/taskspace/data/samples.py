"""The small tasks inside the package, for a demo without files or network."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from taskspace.data.folder import Card
from taskspace.data.reading import build_task
from taskspace.data.rows import MemoryTable

if TYPE_CHECKING:
    from taskspace.task import Task


def sample_tasks() -> list[Task]:
    """The packaged tasks in the order of their index."""
    folder = files("taskspace.data").joinpath("samples")
    index = json.loads(folder.joinpath("index.json").read_text("utf-8"))
    return [_sample(entry, folder.joinpath(f"{entry['name']}.jsonl").read_text("utf-8")) for entry in index]


def _sample(entry: dict[str, Any], lines: str) -> Task:
    rows = [json.loads(line) for line in lines.split("\n") if line.strip()]
    card = Card(entry["name"], entry["description"], tuple(entry["label_names"]))
    said = {"text": "text", "text_pair": "text_pair" if entry["input"] == "pair" else None, "label": "label"}
    return build_task(MemoryTable(card.name, rows), card, said=said, kind="classes", name=None, limit=None, seed=0)
