"""``taskspace prompt tune``: soft prompts for tasks, all in the same batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.cli.prompt import _prompts as p
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from taskspace.prompting.soft import SoftPrompt
    from taskspace.task import Task


def tune(
    tasks: Annotated[list[str], typer.Argument(metavar="TASK", help="Files, task folders or Hub data set ids.")],
    model: Annotated[str, typer.Option(help="The frozen model: a Hub id or folder.")],
    out: Annotated[Path, typer.Option(help="A folder for the prompts; what is finished there is kept.")],
    length: Annotated[int | None, typer.Option(min=1, help="Tokens of a prompt (default: 16, or the init's).")] = None,
    init: Annotated[
        str, typer.Option(help="Where tuning begins: vocabulary, classes, random, text:WORDS, or a prompt's path.")
    ] = "vocabulary",
    inits: Annotated[int, typer.Option(min=1, help="Prompts of each task, each from an init of its own.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first init and its draws; the next have the next.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Updates of each prompt.")] = 1000,
    batch: Annotated[int, typer.Option(min=1, help="Examples of an update.")] = 16,
    rate: Annotated[
        float | None, typer.Option(help="Learning rate (default: 0.3 for encoder-decoders, else 0.01).")
    ] = None,
    patience: Annotated[
        int, typer.Option(min=0, help="Checks without a better one before a prompt stops; 0: all.")
    ] = 0,
    max_length: Annotated[int, typer.Option(min=8, help="Tokens of a text that are read.")] = 256,
    shots: Annotated[int | None, typer.Option(help="Rows of each task to learn from, in total (default: all).")] = None,
    validation: Annotated[
        str | None,
        typer.Option(help="What chooses the checkpoint: a share of the rows (0.2), a split of the folders, or a file."),
    ] = None,
    test: Annotated[str | None, typer.Option(help="What is only scored: a split of the folders, or a file.")] = None,
    overlap: Annotated[
        str, typer.Option(help="Rows that two splits share: refuse, or drop from the one that is learned from.")
    ] = "refuse",
    template: p.Template = None,
    word: p.Words = None,
    text: o.TextColumn = None,
    text_pair: o.PairColumn = None,
    label: o.LabelColumn = None,
    limit: o.Limit = 5000,
    device: p.Device = None,
    dtype: p.Precision = "auto",
    quantize: Annotated[str | None, typer.Option(help="Keep the frozen model in int8 or nf4.")] = None,
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Run layers twice to save memory in the backward pass.")
    ] = False,
    force: p.Force = False,
    as_json: o.AsJson = False,
) -> None:
    """Tune a soft prompt for each TASK, from one init or several, all at once on one frozen model.

    Each becomes a folder OUT/TASK (or OUT/TASK.SEED) that peft loads too.  A run that was killed goes on where it was
    when it is started again.
    """
    from taskspace.prompting import tune_prompts, usual_recipe
    from taskspace.tuning.backbones import load_backbone

    columns: dict[str, Any] = {"text": text, "text_pair": text_pair, "label": label, "limit": limit}
    data = [o.read_source(where, **columns) for where in tasks]
    held = _validation(validation, tasks, data, columns)
    tests = None if test is None else [_part(test, where, len(tasks), "test", columns) for where in tasks]
    options: dict[str, Any] = {"dtype": dtype, "quantize": quantize, "checkpointing": checkpointing}
    backbone = load_backbone(model, device=device, **options)
    settings = {"steps": steps, "batch": batch, "patience": patience, "max_length": max_length}
    rated = {} if rate is None else {"rate": rate}
    cross: Any = overlap
    prompts = tune_prompts(
        data, model=backbone, inits=inits, init=init, length=length, seed=seed, shots=shots, validation=held,
        test=tests, overlap=cross, recipe=usual_recipe(backbone, **settings, **rated), folder=out, force=force,
        verbaliser=p.wording(backbone, template, word), progress=o.on_terminal(), tell=o.say,
    )  # fmt: skip
    if as_json:
        o.print_json({"out": str(out), "prompts": [_document(prompt) for prompt in prompts]})
    else:
        typer.echo(p.table([_row(prompt) for prompt in prompts]))


def _validation(said: str | None, tasks: Sequence[str], data: Sequence[Task], columns: Mapping[str, Any]) -> Any:
    """A share, or a split of its own for each task."""
    if said is None:
        return None
    try:
        return float(said)
    except ValueError:
        return [_part(said, where, len(data), "validation", columns) for where in tasks]


def _part(said: str, where: str, many: int, what: str, columns: Mapping[str, Any]) -> Task:
    """A split of the task folder, or the rows of a file."""
    from taskspace.task import Task

    if o.there(said) and Path(said).is_file():
        if many > 1:
            raise SettingError(
                f"--{what} {said} is one file for {many} tasks; give task folders and the name of a split"
            )
        return Task.from_file(said, **columns)
    if not Path(where).is_dir():
        raise SettingError(
            f"--{what} {said} is no file, and {where} no folder that could have such a split; give a file"
        )
    return Task.from_file(where, split=said, **columns)


def _row(prompt: SoftPrompt) -> dict[str, Any]:
    about, sizes = prompt.provenance, prompt.report()
    metrics = about.get("metrics", {})
    return {
        "prompt": prompt.name, "metric": metrics.get("metric"), "validation": metrics.get("validation"),
        "test": metrics.get("test"), "|P0|": sizes["init_norm"], "|tau|": sizes["vector_norm"],
        "|P0|/|tau|": sizes["ratio"], "steps": about["steps"], "kept_at": about["kept"],
    }  # fmt: skip


def _document(prompt: SoftPrompt) -> dict[str, Any]:
    about = prompt.provenance
    told = {name: about[name] for name in ("seed", "rows", "steps", "kept")}
    return prompt.report() | told | {"metrics": about.get("metrics", {}), "losses": about["validation"]}
