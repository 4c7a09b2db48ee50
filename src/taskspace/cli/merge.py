"""``taskspace merge``: several fine-tuned models or adapters into one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from taskspace.merging._vector import TaskVector
    from taskspace.merging.estimate import Estimate
    from taskspace.merging.recipe import Recipe


def merge(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Folders of models or adapters, files, Hub ids."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A folder, or FILE.safetensors; it must not be there yet.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="What they were fine-tuned from: a file, folder or Hub id.")] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="sum (default), mean, lerp, slerp, ema, magnitude, ties, dare, dare_ties, tsv, iso, lore, remove,"
            " graft, or mergekit:NAME."
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="One number for each model, with commas; or a rule: equal, norm.")
    ] = None,
    scale: Annotated[float | None, typer.Option(help="How much of the merged difference is added (default: 1)")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the method, or of --fit: density=0.2, steps=50.  May be repeated."),
    ] = None,
    rows: Annotated[
        list[Path] | None, typer.Option("--fit", help="Learn the weights on this file of rows.  May be repeated.")
    ] = None,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Learn from the texts of --fit alone: by how sure the model is.")
    ] = False,
    head: Annotated[
        str | None, typer.Option(help="The model folder whose head answers the rows of --fit (default: the base's)")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Tensors to leave as the base has them: 'classifier.*'.  May be repeated.")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="Write F32, F16 or BF16 (default: as the base)")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A YAML file with mergekit's keys, instead of the above.")] = None,
    shard_size: Annotated[
        float, typer.Option(min=0.001, help="GB of a shard; a merge that was stopped goes on after the last whole one.")
    ] = 5.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and write nothing.")] = False,
    as_json: o.AsJson = False,
) -> None:
    """Merge fine-tuned models, or adapters, into one model: BASE plus a combination of their differences.

    Weights are read and written a stretch at a time.  A folder that was begun is gone on with; nothing stands under
    the final name before it is whole.
    """
    rows = rows or []
    if not rows and (head is not None or unlabelled):
        raise SettingError(
            f"{'--head' if head is not None else '--unlabelled'} is about rows to learn from; give --fit"
        )
    asked = _recipe(recipe, models or [], base, method, weights, option or [], ignore or [], fitted=bool(rows))
    asked = replace(asked, scale=asked.scale if scale is None else scale, dtype=dtype or asked.dtype)
    if out is None and not dry_run:
        raise SettingError("nothing says where to write; give --out, or --dry-run to see what it would take")
    if out is not None and out.exists():
        raise SettingError(f"{out} is there already; choose another name, or remove it first")
    if dry_run:
        _tell(_plain(asked) if rows else asked, fitted=bool(rows), as_json=as_json)
        return
    if rows:
        from taskspace.merging.fitting import learned

        asked = learned(asked, rows, head=head, labelled=not unlabelled)
    assert out is not None
    merged = asked.merged()
    written = merged.apply(
        asked.base, out, dtype=asked.dtype, shard_bytes=int(shard_size * 1e9), files=_texts(asked, merged, out),
        beside=asked.base or asked.models[0], progress=o.on_terminal(),
    )  # fmt: skip
    told = {"written": str(out), "tensors": len(written.layout), "recipe": asked.to_dict()}
    if as_json:
        o.print_json(told)
    else:
        typer.echo(f"wrote {out} ({told['tensors']} tensors): {merged}")


def _recipe(
    file: Path | None, models: list[str], base: str | None, method: str | None, weights: str | None,
    options: list[str], ignore: list[str], *, fitted: bool,
) -> Recipe:  # fmt: skip
    from taskspace.merging.recipe import Recipe, read_recipe

    if file is not None:
        if models or base or method or weights or (options and not fitted):
            raise SettingError("a recipe and models or methods were both given; say all of it in one place")
        found = read_recipe(file)
        return replace(found, options={**found.options, **_options(options)}, ignore=(*found.ignore, *ignore))
    if not models:
        raise SettingError("no model was given to merge; name at least one, or a --recipe")
    return Recipe(method or "sum", tuple(models), base, _weights(weights), _options(options), ignore=tuple(ignore))


def _plain(asked: Recipe) -> Recipe:
    from taskspace.merging.fitting import unlearned

    return unlearned(asked)


def _texts(asked: Recipe, merged: TaskVector, out: Path) -> dict[str, str]:
    """What goes into a folder beside the weights."""
    from taskspace.merging.card import card

    return {} if out.suffix == ".safetensors" else {"README.md": card(asked, merged, out.name)}


def _weights(said: str | None) -> str | tuple[float, ...]:
    if said is None:
        return "equal"
    try:
        return tuple(float(part) for part in said.split(","))
    except ValueError:
        return said


def _options(said: list[str]) -> dict[str, Any]:
    """``density=0.2`` as a number, ``trim=model`` as a word."""
    found: dict[str, Any] = {}
    for each in said:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise SettingError(f"--set {each} is no option; say it as NAME=VALUE")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def _estimated(asked: Recipe) -> Estimate:
    from taskspace.merging.checkpoint import opened
    from taskspace.merging.estimate import estimate
    from taskspace.merging.result import layout_of

    under = None if asked.base is None else opened(asked.base)
    merged = asked.merged()
    return estimate(merged, under, layout_of(merged, under, asked.dtype))


def _tell(asked: Recipe, *, fitted: bool, as_json: bool) -> None:
    found = _estimated(asked)
    if as_json:
        o.print_json({"recipe": asked.to_dict(), "estimate": found.to_dict()})
        return
    times = "once" if found.passes == 1 else f"in {found.passes} passes"
    typer.echo(f"{asked.method} of {len(asked.models)} models on {asked.base or 'no base'}, nothing written")
    typer.echo(f"tensors   {found.tensors:,} ({found.numbers:,} numbers are merged)")
    typer.echo(f"read      {found.read / 1e9:.2f} GB {times}; written {found.written / 1e9:.2f} GB")
    typer.echo(f"memory    about {found.memory / 1e6:,.0f} MB beside Python itself")
    typer.echo(f"time      about {found.seconds:,.0f} s, by two tensors that were tried and a disk that keeps up")
    if fitted:
        typer.echo("learning  the weights comes on top, with all models and the base in memory")
