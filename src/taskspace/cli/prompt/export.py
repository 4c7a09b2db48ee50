"""``taskspace prompt export``: a prompt in the form that others read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskspace.cli import _options as o
from taskspace.cli.prompt import _prompts as p
from taskspace.errors import SettingError, did_you_mean

_FORMS = {"peft": "", "npy": ".npy", "embeds": ".safetensors"}
"""And the suffix of the file; an adapter is a folder."""


def export(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="A prompt's folder or file.")],
    out: Annotated[Path, typer.Option(help="The folder (peft) or file to write.")],
    to: Annotated[
        str, typer.Option(help="peft: an adapter folder; npy: the numbers; embeds: inputs_embeds as safetensors.")
    ] = "peft",
    task_type: Annotated[
        str | None, typer.Option(help="peft: SEQ_2_SEQ_LM, CAUSAL_LM or FEATURE_EXTRACTION (default: as the model is).")
    ] = None,
    force: p.Force = False,
    as_json: o.AsJson = False,
) -> None:
    """Write a soft prompt for peft, for google-research/prompt-tuning, or as rows to put before the embedded text."""
    from taskspace.prompting.soft import read_prompt, write_embeds, write_npy, write_peft
    from taskspace.prompting.soft.files import suffixed

    if to not in _FORMS:
        raise SettingError(f"--to {to} is not known{did_you_mean(to, _FORMS)}")
    if task_type is not None and to != "peft":
        raise SettingError(f"--task-type is for peft; leave it out, or say --to peft instead of {to}")
    found = read_prompt(prompt)
    place = out if to == "peft" else suffixed(out, _FORMS[to])
    p.require_free(place, force=force)
    if to == "peft":
        written = write_peft(found, place, task_type=task_type)
    else:
        written = write_npy(found, place) if to == "npy" else write_embeds(found, place)
    if as_json:
        o.print_json({"written": str(written)})
    else:
        typer.echo(f"wrote {written}")
