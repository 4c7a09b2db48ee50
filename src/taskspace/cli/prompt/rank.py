"""``taskspace prompt rank``: which prompt to start a target's from, and how well a measure tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.cli.prompt import _prompts as p
from taskspace.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.prompting.soft import SoftPrompt


def rank(
    target: Annotated[
        str | None, typer.Argument(metavar="TARGET", help="A prompt, or the name of one of the sources.")
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option(help="Prompts, folders of them, or a safetensors file of many.  May be repeated."),
    ] = None,
    measure: Annotated[str, typer.Option(help="How prompts are compared: pooled, max, centred, …")] = "pooled",
    compare: Annotated[str, typer.Option(help="prompts, or vectors: what tuning added.")] = "prompts",
    transfers: Annotated[
        Path | None, typer.Option(help="Measured transfers: a table of source, target and score.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Which model's transfers, where the table has those of several.")
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Tell how well the measure orders the --transfers, each target in turn.")
    ] = False,
    k: o.Top = 10,
    as_json: o.AsJson = False,
) -> None:
    """Order prompts by how well each may start the TARGET's.

    The target itself and other prompts of its task are left out.
    """
    from taskspace.prompting.likeness import evaluate_transfers, rank_prompts, read_transfers

    found = _named(p.read_all(sources or []))
    if not found:
        raise SettingError("there is nothing to rank; give prompts with --sources")
    measured = None if transfers is None else read_transfers(transfers, model=model)
    if evaluate:
        if measured is None or target is not None:
            raise SettingError("--evaluate goes over all measured targets; give --transfers, and no TARGET")
        result = evaluate_transfers(_tables(found, compare), measured, measure)
        if as_json:
            o.print_json(result.to_dict())
        else:
            typer.echo(str(result))
        return
    wanted = _target(target, found)
    alike = [each for each in found if each.fingerprint != wanted.fingerprint and set(each.tasks) & set(wanted.tasks)]
    if alike:
        o.say(f"left out, since they are of the target's task: {', '.join(each.name for each in alike)}")
    how: Any = compare
    ranking = rank_prompts(
        wanted, [each for each in found if each not in alike], measure=measure, compare=how, transfers=measured
    )
    o.print_ranking(ranking.top(k), as_json=as_json)


def _named(prompts: Sequence[SoftPrompt]) -> list[SoftPrompt]:
    """By their task, as transfers are, where each has one of its own."""
    from dataclasses import replace

    tasks = [prompt.tasks[0] for prompt in prompts if len(prompt.tasks) == 1]
    if len(set(tasks)) < len(prompts):
        return list(prompts)
    return [replace(prompt, name=task) for prompt, task in zip(prompts, tasks, strict=True)]


def _target(said: str | None, sources: Sequence[SoftPrompt]) -> SoftPrompt:
    """A prompt on disk, or one of the sources by name."""
    from taskspace.prompting.soft import read_prompt

    if said is None:
        raise SettingError("nothing was said to rank for; give a TARGET, or --evaluate")
    if o.there(said):
        return read_prompt(said)
    named = {source.name: source for source in sources}
    if said not in named:
        raise SettingError(f"{said!r} is neither a file nor one of the sources{did_you_mean(said, named)}")
    return named[said]


def _tables(prompts: Sequence[SoftPrompt], compare: str) -> dict[str, Any]:
    """Arrays by name."""
    if compare not in ("prompts", "vectors"):
        raise SettingError(f"--compare {compare} is not known; say prompts or vectors")
    names = [prompt.name for prompt in prompts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SettingError(f"two sources are called {twice!r}; give one of each name")
    return {each.name: each.vector.values if compare == "vectors" else each.tokens for each in prompts}
