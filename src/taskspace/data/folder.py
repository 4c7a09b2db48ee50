"""A task as a folder: ``train.jsonl.gz`` (or another format or split) beside ``task.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace.data.files import format_of, stem
from taskspace.data.lines import text_lines
from taskspace.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Card:
    """What ``task.json`` says; without the file, the folder's name alone."""

    name: str
    description: str = ""
    label_names: tuple[str, ...] = ()


def split_file(folder: Path, split: str) -> Path:
    """The one file in the folder that is named after the split.

    Raises :class:`DataError` naming the splits there are, or both files where two have the name.
    """
    tables = sorted(f for f in folder.iterdir() if f.is_file() and format_of(f) and f.name != "task.json")
    tables = [f for f in tables if not f.name.startswith(".")]
    found = [f for f in tables if stem(f) == split]
    if len(found) > 1:
        raise DataError(f"{folder} holds both {found[0].name} and {found[1].name}; give one of them by its path")
    if found:
        return found[0]
    if not tables:
        raise DataError(f"{folder} is a folder without a task in it; it needs {split}.jsonl (or .csv, …) and task.json")
    raise DataError(f"{folder} has no split {split!r}{did_you_mean(split, map(stem, tables))}")


def read_card(folder: Path) -> Card:
    """Read ``task.json``; unknown fields are left alone."""
    path = folder / "task.json"
    fallback = folder.resolve().name
    if not path.is_file():
        return Card(fallback)
    try:
        fields: Any = json.loads("".join(line for _, line in text_lines(path)))
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error}); mend it") from error
    if not isinstance(fields, dict):
        raise DataError(f'{path} is not a JSON object; write {{"name": …, "label_names": […]}}')
    names = fields.get("label_names") or []
    if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names) or len(set(names)) < len(names):
        raise DataError(f"label_names in {path} must be a list of distinct class names in the order of their codes")
    return Card(str(fields.get("name") or fallback), str(fields.get("description") or ""), tuple(names))
