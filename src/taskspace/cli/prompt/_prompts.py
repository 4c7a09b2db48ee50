"""What the verbs share: reading prompts and their rows, finding their model, printing tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.errors import PromptError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from taskspace.prompting.soft import SoftPrompt
    from taskspace.task import Task
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.examples import Verbaliser

Prompts = Annotated[list[str], typer.Argument(metavar="PROMPT", help="Prompts, or folders that hold several.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="The frozen model: a Hub id or folder (default: the prompts' own).")
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, … (default: cuda where there is one)")]
Precision = Annotated[
    str, typer.Option(help="What the frozen model computes in: auto, float32, bfloat16 or float16; prompts float32.")
]
Template = Annotated[
    str | None,
    typer.Option(help="How rows are put to a model that writes: a text with {text}, and {text_pair} for pairs."),
]
Words = Annotated[
    list[str] | None, typer.Option("--word", metavar="CLASS=WORD", help="The word for a class.  May be repeated.")
]
MaxLength = Annotated[
    int | None, typer.Option(min=8, help="Tokens of a text that are read (default: as in tuning, else 256).")
]
Force = Annotated[bool, typer.Option("--force", help="Replace a prompt that is there.")]


def read_all(paths: Iterable[str | Path]) -> list[SoftPrompt]:
    """The prompts in files, folders of a prompt and folders of prompts, in that order."""
    from taskspace.prompting.soft import read_prompt, read_prompts
    from taskspace.prompting.soft.files import is_prompt

    found: list[SoftPrompt] = []
    for path in map(Path, paths):
        many = not is_prompt(path) if path.is_dir() else path.suffix == ".safetensors" and holds_many(path)
        if many:
            found += read_prompts(path).values()
        else:
            found.append(read_prompt(path))
    return found


def model_of(
    prompts: Sequence[SoftPrompt], model: str | None, *, device: str | None = None, dtype: str = "auto"
) -> Backbone:
    """The model said, or that of the prompts."""
    from taskspace.tuning.backbones import load_backbone

    known = next((prompt.backbone.name for prompt in prompts if prompt.backbone), None)
    if model is None and known is None:
        raise SettingError(f"nobody wrote down the model of {prompts[0].name!r}; say it with --model")
    precision: Any = dtype
    return load_backbone(model or known or "", device=device, dtype=precision)


def wording(
    backbone: Backbone, template: str | None, words: Sequence[str] | None
) -> Callable[[Task], Verbaliser] | Verbaliser | None:
    """How rows are put to the model, where that was said."""
    from functools import partial

    from taskspace.tuning.examples import Verbaliser

    said = dict(map(_word, words)) if words else None
    if backbone.kind != "encoder":
        return partial(Verbaliser.of, template=template, words=said) if template or said else None
    if template:
        raise SettingError("an encoder reads the texts as they are; leave --template out")
    return Verbaliser(answers=said) if said else None


def length_read(prompts: Sequence[SoftPrompt], said: int | None) -> int:
    """``--max-length``, or what the prompts were tuned with, also those they are made of; 256 where nobody says."""
    abouts: list[Any] = [prompt.provenance for prompt in prompts]
    sources = [about.get("applied", {}).get("sources", {}).values() for about in abouts]
    abouts += [source.get("provenance", {}) for each in sources for source in each]
    return said or max((about.get("recipe", {}).get("max_length", 0) for about in abouts), default=0) or 256


def note_wording(prompts: Sequence[SoftPrompt]) -> None:
    """Tell of prompts that were tuned on rows worded otherwise than they are scored on now."""
    import warnings

    from taskspace.errors import TaskspaceWarning

    other = [prompt.name for prompt in prompts if prompt.provenance.get("wording")]
    if other:
        warnings.warn(
            f"{other[0]!r} was tuned with a template or words of its own, and is scored with the usual ones",
            TaskspaceWarning, stacklevel=2,
        )  # fmt: skip


def metric_of(task: Task, said: str | None) -> str:
    """The name of what is scored."""
    from taskspace.tuning.metrics import best_metric_for

    return said or best_metric_for(task).name


def heads_of(places: Sequence[str], metrics: Sequence[str]) -> list[str]:
    """What the scores of each file or folder stand under: its name, or its path where several are called so."""
    names = [Path(place).name for place in places]
    counted = Counter(dict(zip(places, names, strict=True)).values())
    shown = [name if counted[name] == 1 else place for place, name in zip(places, names, strict=True)]
    return [f"{name} {metric}" for name, metric in zip(shown, metrics, strict=True)]


def read_rows(where: str, split: str, columns: Mapping[str, Any]) -> Task:
    """A split of a task folder, or all rows of a file."""
    from taskspace.task import Task

    return Task.from_file(where, split=split, **columns) if Path(where).is_dir() else o.read_source(where, **columns)


def require_free(place: Path, *, force: bool) -> None:
    """Nothing is replaced unless that is asked for."""
    if o.there(place) and not force:
        raise PromptError(f"{place} is there already; give another place, or --force to have it replaced")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Columns under their names, numbers to the right; columns without any value are left out."""
    names = [name for name in rows[0] if any(row[name] is not None for row in rows)] if rows else []
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [any(isinstance(row[name], int | float) for row in rows) for name in names]
    pads = [str.rjust if number else str.ljust for number in right]
    lines = [[pad(cell, width) for pad, cell, width in zip(pads, line, widths, strict=True)] for line in cells]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _word(said: str) -> tuple[str, str]:
    name, _, word = said.partition("=")
    if not name or not word:
        raise SettingError(f"--word {said} names no class and its word; say it as CLASS=WORD")
    return name, word


def holds_many(path: Path) -> bool:
    """Whether a safetensors file has several tables, by its header alone."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return len(file.keys()) > 1
    except (OSError, SafetensorError):
        return False  # which reading it as a prompt will say in a sentence
