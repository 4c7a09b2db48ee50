"""``taskspace bench tpv``: the study of task prompt vectors on tasks of your own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.cli.bench._words import words
from taskspace.errors import SettingError


def tpv(
    data: Annotated[Path, typer.Option(help="A folder of task folders, each with a train and a test split.")],
    sources: Annotated[str, typer.Option(help="Source tasks by folder name: sst2,trec,…")],
    targets: Annotated[str, typer.Option(help="Each target with the two sources that start it: imdb=sst2+yelp,…")],
    out: Annotated[Path, typer.Option(help="Where runs, prompts, tables and figures go; an unfinished study goes on.")],
    model: Annotated[
        str | None, typer.Option(help="The frozen model: a Hub id or folder (default: all-MiniLM-L6-v2).")
    ] = None,
    inits: Annotated[int, typer.Option(min=1, help="Initialisations each source is tuned from.")] = 3,
    shots: Annotated[str, typer.Option(help="Training examples in total, for each few-shot run.")] = "0,10,50,100,500",
    methods: Annotated[str | None, typer.Option(help="Few-shot methods (default: all).")] = None,
    parts: Annotated[str, typer.Option(help="Which parts to run.")] = "sources,mixed,pairs,shots",
    length: Annotated[int, typer.Option(min=1, help="Tokens of a prompt.")] = 16,
    steps: Annotated[int, typer.Option(min=1, help="Steps of tuning a source prompt.")] = 300,
    few_steps: Annotated[int, typer.Option(min=1, help="Steps of a few-shot run.")] = 100,
    batch: Annotated[int, typer.Option(min=1, help="Examples of a step.")] = 16,
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    max_length: Annotated[int, typer.Option(min=8, help="Tokens of a text that are read.")] = 64,
    grid: Annotated[int, typer.Option(min=1, help="Steps of λ between 0 and 1 in the search for sums.")] = 20,
    validation: Annotated[int, typer.Option(min=2, help="Validation rows per task.")] = 100,
    test: Annotated[int, typer.Option(min=2, help="Test rows per task.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of draws and inits.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, … (default: cuda where there is one)")] = None,
    as_json: o.AsJson = False,
) -> None:
    """The Task Prompt Vectors study: original against mixed inits, sums of vectors, and few-shot starts.

    Every finished run is one line of OUT/runs.jsonl; a study that was stopped goes on where it was.  The report is
    written to OUT/report.md with its tables and figures.
    """
    from taskspace.prompting.study import Plan, run_study, study_data, write_report
    from taskspace.prompting.study.plan import FEW_SHOT, SOURCES
    from taskspace.prompting.transfer import METHODS
    from taskspace.surrogates import DEFAULT_SURROGATE
    from taskspace.tuning.backbones import load_backbone

    every = {"batch": batch, "rate": rate, "max_length": max_length}
    plan = Plan(
        words(sources),
        _pairs(targets),
        inits=inits,
        shots=tuple(_whole(word) for word in words(shots)),
        methods=METHODS if methods is None else words(methods),
        length=length,
        grid=tuple(round(step / grid, 6) for step in range(grid + 1)),
        recipe=replace(SOURCES, steps=steps, warmup=steps // 10, check=max(1, steps // 4), **every),
        few_shot=replace(FEW_SHOT, steps=few_steps, warmup=few_steps // 10, check=few_steps, **every),
        batches=((25, max(2, batch // 8)), (250, max(2, batch // 2))),
        seed=seed,
        parts=words(parts),
    )
    splits = study_data(data, [*plan.sources, *plan.targets], validation=validation, test=test, seed=seed)
    run_study(plan, splits, load_backbone(model or DEFAULT_SURROGATE, device=device), out, tell=o.say)
    report = write_report(out)
    if as_json:
        o.print_json({"report": str(report), "claims": _claims(out)})
    else:
        typer.echo(report.read_text(encoding="utf-8"))


def _claims(out: Path) -> list[dict[str, Any]]:
    """What the report's first table says."""
    from taskspace.prompting.study import claims, read_prompts, read_runs
    from taskspace.prompting.study.runs import NAME, of_main_metric

    runs = of_main_metric(read_runs(out / NAME))
    prompts = read_prompts(out, list(dict.fromkeys(run.task for run in runs)))
    return [vars(claim) for claim in claims(runs, prompts)]


def _whole(word: str) -> int:
    if not word.isdigit():
        raise SettingError(f"{word!r} is not a number of shots; say whole numbers such as 0,10,100")
    return int(word)


def _pairs(given: str) -> dict[str, tuple[str, str]]:
    """``target=a+b`` for each target."""
    found: dict[str, tuple[str, str]] = {}
    for word in words(given):
        target, _, pair = word.partition("=")
        names = tuple(name.strip() for name in pair.split("+"))
        if len(names) != 2 or not all((target, *names)):
            raise SettingError(
                f"the target {word!r} does not name two sources; say it as {target or 'target'}=one+other"
            )
        found[target.strip()] = (names[0], names[1])
    return found
