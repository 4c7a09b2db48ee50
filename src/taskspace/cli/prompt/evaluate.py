"""``taskspace prompt eval``: what prompts score on tasks, or how a task is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from taskspace.cli import _options as o
from taskspace.cli.prompt import _prompts as p
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.prompting.bank import Wording
    from taskspace.prompting.soft import SoftPrompt
    from taskspace.task import Task
    from taskspace.tuning.backbones import Backbone


def evaluate(
    prompts: p.Prompts,
    on: Annotated[
        list[str] | None, typer.Option(help="Labelled rows: a file or task folder.  May be repeated.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which split of task folders is scored on.")] = "test",
    metric: Annotated[str | None, typer.Option(help="What is scored (default: each task's own).")] = None,
    forget: Annotated[
        str | None, typer.Option(help="Take the prompt's own vector away bit by bit, and score these rows.")
    ] = None,
    keep: Annotated[str | None, typer.Option(help="With --forget: rows of a task that should not be lost.")] = None,
    model: p.ModelOption = None,
    template: p.Template = None,
    word: p.Words = None,
    text: o.TextColumn = None,
    text_pair: o.PairColumn = None,
    label: o.LabelColumn = None,
    limit: o.Limit = 5000,
    max_length: p.MaxLength = None,
    device: p.Device = None,
    dtype: p.Precision = "auto",
    as_json: o.AsJson = False,
) -> None:
    """Score PROMPTs on labelled rows (--on), all in one bank.

    With --forget and --keep: the scores of one prompt on both as its vector is taken away.
    """
    columns = {"text": text, "text_pair": text_pair, "label": label, "limit": limit}
    _require_sense(on, forget, keep)
    found = p.read_all(prompts)
    rows = [p.read_rows(where, split, columns) for where in (on or [forget or "", keep or ""])]
    backbone = p.model_of(found, model, device=device, dtype=dtype)
    read = p.length_read(found, max_length)
    if not (template or word):
        p.note_wording(found)
    worded = p.wording(backbone, template, word)
    if not on:
        _forget(backbone, found, rows, metric, read, worded, as_json=as_json)
        return
    from taskspace.prompting import PromptBank

    bank = PromptBank(backbone, found, max_length=read, verbaliser=worded)
    scores = {where: bank.evaluate(task, metric=metric).tolist() for where, task in zip(on, rows, strict=True)}
    names = {where: p.metric_of(task, metric) for where, task in zip(on, rows, strict=True)}
    _print(found, scores, names, as_json=as_json)


def _print(
    prompts: Sequence[SoftPrompt], scores: dict[str, list[float]], names: dict[str, str], *, as_json: bool
) -> None:
    if as_json:
        each = [
            {"prompt": prompt.name, "scores": {where: found[i] for where, found in scores.items()}}
            for i, prompt in enumerate(prompts)
        ]
        o.print_json({"metrics": names, "prompts": each})
        return
    heads = p.heads_of(list(scores), list(names.values()))
    columns = dict(zip(heads, scores.values(), strict=True))
    typer.echo(
        p.table(
            [
                {"prompt": prompt.name} | {head: found[i] for head, found in columns.items()}
                for i, prompt in enumerate(prompts)
            ]
        )
    )


def _forget(
    backbone: Backbone,
    prompts: Sequence[SoftPrompt],
    rows: Sequence[Task],
    metric: str | None,
    read: int,
    worded: Wording | None,
    *,
    as_json: bool,
) -> None:
    from taskspace.prompting.transfer import forget

    if len(prompts) > 1:
        raise SettingError(f"--forget takes one prompt's vector away, and {len(prompts)} were given; give one")
    lost, kept = rows
    curve = forget(
        backbone, prompts[0], prompts[0].vector, forgotten=lost, kept=kept, metric=metric, verbaliser=worded,
        max_length=read,
    )  # fmt: skip
    points = zip(curve.scales, curve.forgotten.tolist(), curve.kept.tolist(), strict=True)
    table = [{"taken_away": scale, "forgotten": one, "kept": other} for scale, one, other in points]
    if as_json:
        o.print_json({"chosen": curve.chosen, "kept_share": curve.kept_share, "scales": table})
        return
    typer.echo(p.table([row | {"": "*" if row["taken_away"] == curve.chosen else ""} for row in table]))
    share = f"{curve.kept_share:.0%} of what is kept"
    typer.echo(f"*: forgets most while keeping {share}" if curve.chosen else f"no scale keeps {share}")


def _require_sense(on: Sequence[str] | None, forget: str | None, keep: str | None) -> None:
    if bool(on) == bool(forget or keep):
        raise SettingError("eval needs rows to score; give --on, or --forget and --keep together")
    if not on and not (forget and keep):
        raise SettingError("--forget and --keep belong together; give both")
