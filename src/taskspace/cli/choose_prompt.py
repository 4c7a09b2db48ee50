"""``taskspace choose-prompt``: which prompt will answer best, before anyone labels anything?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from taskspace.labelers.prompts import PromptFile, PromptModel
    from taskspace.prompting.choosing import PromptChoice, PromptStudy


def choose_prompt(
    prompts: Annotated[
        str, typer.Argument(metavar="PROMPTS", help="A TOML file of prompts, or a packaged set: nli, sentiment, topic.")
    ],
    texts: Annotated[Path, typer.Option(help="What the prompts will be used on; labels are not looked at.")],
    method: Annotated[
        str, typer.Option(help="How to choose (mi, mi_g, ge, zpm, ppl, fute, …), or all but self_select: all.")
    ] = "mi",
    calibration: Annotated[str, typer.Option(help="none, cc, cbm or pmi_dc")] = "none",
    like: Annotated[
        str | None, typer.Option(help="fute: a labelled file, folder or Hub id of the same classes.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Language model (default: the file's): a Hub id or folder.")] = None,
    base_url: Annotated[str | None, typer.Option(help="An OpenAI-compatible server that has the model.")] = None,
    text: o.TextColumn = None,
    text_pair: o.PairColumn = None,
    label: Annotated[str | None, typer.Option(help="Column of the label in --like (default: guessed)")] = None,
    limit: Annotated[int, typer.Option(min=2, help="How many of the texts to ask about.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws of texts")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, … (default: cuda where there is one)")] = None,
    save: Annotated[Path | None, typer.Option(help="Keep what the model said in this safetensors file.")] = None,
    as_json: o.AsJson = False,
) -> None:
    """Order PROMPTS by how well they will answer, without labels.

    Each text is put to each prompt once; answers are kept, so that another method or another prompt costs
    only what is new.
    """
    from taskspace.labelers.load import Loader
    from taskspace.labelers.prompts import read_prompts
    from taskspace.prompting.choosing import choose
    from taskspace.task import Pool

    file = read_prompts(prompts)
    asked = Pool.from_file(texts, text=text, text_pair=text_pair, limit=limit, seed=seed)
    file = replace(file, model=model or file.model, base_url=base_url or file.base_url)
    study = _study(file, asked, Loader(device=device).model(file), method, calibration, like, label)
    if save is not None:
        study.readings.save(save)
    if method == "all":
        _print_all(study, seed, as_json=as_json)
        return
    choice = choose(study, method, calibration, seed=seed)
    if as_json:
        o.print_json(choice.to_dict())
    else:
        typer.echo(str(choice))


def _study(
    file: PromptFile, asked: Any, model: PromptModel, method: str, calibration: str, like: str | None, label: str | None
) -> PromptStudy:
    from taskspace.prompting.choosing import CALIBRATIONS, require_method, study_prompts

    every = method == "all"
    if every and calibration != "none":
        raise SettingError(f"'all' tries every calibration; leave --calibration {calibration} out")
    if not every:
        require_method(method, calibration, has_data=like is not None)
    data = None if like is None else o.read_source(like, text=None, text_pair=None, label=label, limit=2000)
    return study_prompts(
        file.prompts, asked, model, like=data if every or method.startswith("fute") else None,
        content_free=every or CALIBRATIONS[calibration].content_free, ask_model=method == "self_select",
        progress=o.on_terminal(),
    )  # fmt: skip


def _print_all(study: PromptStudy, seed: int, *, as_json: bool) -> None:
    from taskspace.prompting.choosing import compare

    choices = compare(study, seed=seed)
    if as_json:
        o.print_json({"choices": [choice.to_dict() for choice in choices], "cost": vars(study.cost)})
        return
    typer.echo("\n".join([*_lines(choices), f"cost: {study.cost}"]))


def _lines(choices: tuple[PromptChoice, ...]) -> list[str]:
    from collections import Counter

    width = max(len(choice.best.name) for choice in choices)
    lines = [f"{'method':<13} {'calibration':<11}  {'first':<{width}}  sure"]
    lines += [f"{c.method:<13} {c.calibration:<11}  {c.best.name:<{width}}  {c.best.sure:.0%}" for c in choices]
    tally = Counter(choice.best.name for choice in choices).most_common(3)
    return [*lines, "first most often: " + ", ".join(f"{name} ({count} of {len(choices)})" for name, count in tally)]
