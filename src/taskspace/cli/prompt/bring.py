"""``taskspace prompt import``: prompts that others tuned, as folders of ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from taskspace.cli import _options as o
from taskspace.cli.prompt import _prompts as p
from taskspace.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from taskspace.prompting.soft import SoftPrompt
    from taskspace.tuning.identity import BackboneId, BackboneKind

_KINDS = ("encoder", "encoder-decoder", "decoder")


def bring(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="PEFT folders, .bin of Task Prompt Vectors, task_prompt of thunlp, .npy, .pt of ATTEMPT, safetensors.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="A folder; each prompt becomes a folder in it.")],
    backbone: Annotated[str | None, typer.Option(help="The model they were tuned on, if the files do not say.")] = None,
    backbone_kind: Annotated[
        str | None, typer.Option(help="encoder, encoder-decoder or decoder, if its name does not tell.")
    ] = None,
    init: Annotated[Path | None, typer.Option(help="Where their tuning began: without it there is no vector.")] = None,
    task: Annotated[str | None, typer.Option(help="The task, when one prompt is brought in.")] = None,
    effective: Annotated[
        int | None, typer.Option(help="Rows that the model reads, where more are stored (default: found out).")
    ] = None,
    force: p.Force = False,
    as_json: o.AsJson = False,
) -> None:
    """Bring in prompts as others saved them, whatever the format; rows that no model reads are dropped.

    Torch files are opened for their tensors only, and a pickle of anything else is refused.
    """
    from taskspace.prompting._kept import place_of

    _require_kind(backbone, backbone_kind)
    prompts = [prompt for path in paths for prompt in _read(path, backbone, backbone_kind, init, effective)]
    if task is not None:
        if len(prompts) > 1:
            raise SettingError(f"--task {task} fits one prompt, and {len(prompts)} were given; bring it in alone")
        prompts = [replace(prompts[0], name=task, tasks=(task,), weights=None)]
    places = [place_of(out, prompt.name) for prompt in prompts]
    for place in places:
        if places.count(place) > 1:
            raise SettingError(f"two of the prompts would become {place}; bring them into folders of their own")
        p.require_free(place, force=force)
    for prompt, place in zip(prompts, places, strict=True):
        prompt.save(place)
    reports = [_report(prompt, place) for prompt, place in zip(prompts, places, strict=True)]
    if as_json:
        o.print_json({"prompts": reports})
    else:
        typer.echo(p.table(reports))


def _read(
    path: str, backbone: str | None, kind: str | None, init: Path | None, effective: int | None
) -> Sequence[SoftPrompt]:
    """One prompt, or all of a file of many."""
    from taskspace.prompting.soft import read_prompt, read_prompts

    if Path(path).suffix == ".safetensors" and p.holds_many(Path(path)):
        if init is not None or effective is not None:
            raise SettingError(f"{path} holds many prompts; --init and --effective are for one")
        where = _identity(backbone, kind, lambda: next(iter(read_prompts(path).values())))
        return list(read_prompts(path, backbone=where).values())
    where = _identity(backbone, kind, lambda: read_prompt(path, effective=effective))
    return [read_prompt(path, backbone=where, init=init, effective=effective)]


def _identity(backbone: str | None, kind: str | None, read: Callable[[], SoftPrompt]) -> BackboneId | str | None:
    """The backbone by its name, or by all that is known of it where its kind is said; ``read`` gives the width."""
    from taskspace.tuning.identity import BackboneId

    if backbone is None or kind is None:
        return backbone
    prompt, said = read(), cast("BackboneKind", kind)
    known = prompt.backbone.width if prompt.backbone else 0
    return BackboneId(backbone, "", said, prompt.width if prompt.layout == "input" else known, 0)


def _require_kind(backbone: str | None, kind: str | None) -> None:
    if kind is not None and kind not in _KINDS:
        raise SettingError(f"--backbone-kind {kind} is not known{did_you_mean(kind, _KINDS)}")
    if kind is not None and backbone is None:
        raise SettingError(f"--backbone-kind {kind} says nothing without the model's name; give --backbone too")


def _report(prompt: SoftPrompt, place: Path) -> dict[str, Any]:
    sizes = prompt.report()
    return {
        "prompt": prompt.name, "task": ", ".join(prompt.tasks) or None, "backbone": sizes["backbone"],
        "length": sizes["length"], "width": sizes["width"],
        "dropped_rows": sizes["dropped_rows"] or None, "vector": "yes" if prompt.init is not None else "no init",
        "written": str(place),
    }  # fmt: skip
