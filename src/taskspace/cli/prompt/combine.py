"""``taskspace prompt combine``: add, average, merge or take away what tuning added."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.cli.prompt import _prompts as p
from taskspace.errors import PromptError, SettingError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.prompting.soft import PromptVector, SoftPrompt
    from taskspace.prompting.transfer import ScaleSearch

_METHODS = ("sum", "average", "ties")


def combine(
    prompts: p.Prompts,
    out: Annotated[Path, typer.Option(help="A folder for the new prompt.")],
    method: Annotated[str, typer.Option(help="How the vectors become one: sum, average or ties.")] = "sum",
    weights: Annotated[
        str | None, typer.Option(help="A factor for each, such as 1,-0.5: a negative one takes the task away.")
    ] = None,
    scale: Annotated[str, typer.Option(help="How far to go along the vector, or search.")] = "1",
    init: Annotated[
        str | None,
        typer.Option(help="What to add to: a prompt's path, or a seed of vocabulary rows (default: the first's init)."),
    ] = None,
    validation: Annotated[
        list[str] | None, typer.Option(help="For search: rows to score on, a file or task folder.  May be repeated.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which split of task folders is scored on.")] = "validation",
    grid: Annotated[str | None, typer.Option(help="For search: the scales to try (default: 0, 0.05, …, 1).")] = None,
    metric: Annotated[str | None, typer.Option(help="For search: what is scored (default: each task's own).")] = None,
    density: Annotated[float, typer.Option(help="For ties: the share of each vector that stays.")] = 0.2,
    vector: Annotated[Path | None, typer.Option(help="Keep the combined vector in this safetensors file.")] = None,
    model: p.ModelOption = None,
    template: p.Template = None,
    word: p.Words = None,
    text: o.TextColumn = None,
    text_pair: o.PairColumn = None,
    label: o.LabelColumn = None,
    limit: o.Limit = 1000,
    max_length: p.MaxLength = None,
    device: p.Device = None,
    dtype: p.Precision = "auto",
    force: p.Force = False,
    as_json: o.AsJson = False,
) -> None:
    """Make one start of several PROMPTs: an init plus a scale times the sum of what tuning added to each.

    A vector is the tuned prompt less its init.  Only --scale search and a seed as --init need the model.
    """
    from taskspace.prompting.transfer import GRID, search_scale

    sources = p.read_all(prompts)
    made = _combined([source.vector for source in sources], method, weights, density)
    search = scale == "search"
    _require_sense(search, validation, worded=bool(template or word))
    _require_places(out, vector, force=force)
    columns = {"text": text, "text_pair": text_pair, "label": label, "limit": limit}
    rows = [p.read_rows(where, split, columns) for where in validation or ()]
    scales = _numbers(grid, "--grid") if grid else list(GRID)
    backbone = p.model_of(sources, model, device=device, dtype=dtype) if search or _is_seed(init) else None
    start = _start(init, sources, backbone)
    found: ScaleSearch | None = None
    if search and backbone is not None:
        if not (template or word):
            p.note_wording(sources)
        found = search_scale(
            backbone, start, made, rows, grid=scales, metric=metric, verbaliser=p.wording(backbone, template, word),
            max_length=p.length_read(sources, max_length),
        )  # fmt: skip
    combined = made.apply(start, _number(scale, "--scale") if found is None else found.best)
    combined.save(out)
    if vector is not None:
        made.save(vector)
    heads = p.heads_of(validation or (), [p.metric_of(task, metric) for task in rows])
    _print(combined, out, vector, [] if found is None else _scores(found, heads), as_json=as_json)


def _combined(vectors: Sequence[PromptVector], method: str, weights: str | None, density: float) -> PromptVector:
    from taskspace.prompting.soft import combine as ways

    if method not in _METHODS:
        raise SettingError(f"method {method!r} is not known{did_you_mean(method, _METHODS)}")
    factors = _numbers(weights, "--weights") if weights else [1.0] * len(vectors)
    if len(factors) != len(vectors):
        raise SettingError(f"--weights has {len(factors)} numbers for {len(vectors)} prompts; give one for each")
    if method == "average":
        return ways.average(vectors, factors)
    weighted = [factor * vector for factor, vector in zip(factors, vectors, strict=True)]
    return ways.ties(weighted, density) if method == "ties" else ways.total(weighted)


def _start(init: str | None, sources: Sequence[SoftPrompt], backbone: Any) -> SoftPrompt:
    """The prompt that the vector is added to."""
    from taskspace.prompting.begin import begin
    from taskspace.prompting.soft import SoftPrompt, read_prompt

    first = sources[0]
    if init is None and first.init is not None:
        return SoftPrompt(first.init, first.backbone, f"the init of {first.name}", layout=first.layout)
    if init is None:
        raise SettingError(f"the init of {first.name!r} is unknown; say what to add to with --init")
    if backbone is not None and _is_seed(init):
        return begin("vocabulary", backbone, length=first.length, seed=int(init))
    return read_prompt(init)


def _is_seed(init: str | None) -> bool:
    return init is not None and init.isdigit() and not o.there(init)


def _require_sense(search: bool, validation: Sequence[str] | None, *, worded: bool) -> None:
    if search and not validation:
        raise SettingError("--scale search needs rows to score on; give them with --validation, or a number as --scale")
    if validation and not search:
        raise SettingError("--validation is for --scale search; say that, or leave it out")
    if worded and not search:
        raise SettingError("--template and --word are for --scale search; say that, or leave them out")


def _require_places(out: Path, vector: Path | None, *, force: bool) -> None:
    """That all which is to be written can be, before any of it is."""
    p.require_free(out, force=force)
    if vector is None:
        return
    p.require_free(vector, force=force)
    if vector.resolve() in (out.resolve(), *out.resolve().parents):
        raise PromptError(f"--vector {vector} is where the prompt goes; give another file")
    if vector.is_dir() or not vector.parent.is_dir():
        what = vector if vector.is_dir() else vector.parent
        raise PromptError(f"--vector {vector} is no file that can be written, for the folder {what}; give another file")


def _print(prompt: SoftPrompt, out: Path, vector: Path | None, scores: list[dict[str, Any]], *, as_json: bool) -> None:
    best, sizes = prompt.provenance["scale"], prompt.report()
    if as_json:
        kept = {"written": str(out), "vector": None if vector is None else str(vector)}
        o.print_json(sizes | kept | {"scale": best, "weights": dict(prompt.weights or {}), "search": scores})
        return
    if scores:
        typer.echo(p.table([row | {"": "*" if row["scale"] == best else ""} for row in scores]))
    norms = f"|P0| {sizes['init_norm']:.3f}, |tau| {sizes['vector_norm']:.3f}"
    typer.echo(f"wrote {out}: {prompt.name} at scale {best:g} ({norms})")
    if vector is not None:
        typer.echo(f"wrote {vector}")


def _scores(found: ScaleSearch, heads: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each scale; None where a round of halving left it out."""
    return [
        {"scale": float(scale)}
        | {head: score if score == score else None for head, score in zip(heads, row, strict=True)}
        for scale, row in zip(found.grid, found.scores.tolist(), strict=True)
    ]


def _numbers(said: str, option: str) -> list[float]:
    return [_number(word, option) for word in said.split(",")]


def _number(word: str, option: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise SettingError(
            f"{option} holds {word.strip()!r}, which is not a number; give numbers such as 1,-0.5"
        ) from error
