"""``taskspace report``: one page on a target, to send to a colleague."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from taskspace.cli import _options as o
from taskspace.errors import AtlasError


def report(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A name in the atlas, or a file, folder or Hub id to embed first.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write the page (default: TARGET.html in this folder)")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many candidates to tell of.")] = 8,
    kind: o.KindOption = None,
    examples: Annotated[
        int,
        typer.Option(min=0, help="Show so many rows of TARGET, a file; none by default, since texts may be private."),
    ] = 0,
    base: Annotated[str | None, typer.Option(help="Model that would be tuned (default: the space's surrogate)")] = None,
    parameters: Annotated[
        int | None, typer.Option(min=1, help="Its parameters (default: counted in its files)")
    ] = None,
    epochs: Annotated[float, typer.Option(help="Passes over the rows when tuning.")] = 3,
    rate: Annotated[float | None, typer.Option(help="FLOPs a second that you reach, to tell costs as time.")] = None,
    date: Annotated[str | None, typer.Option(help="A date to print on the page (default: none)")] = None,
    atlas: o.AtlasPath = None,
    learner: o.Which = None,
    text: o.TextColumn = None,
    text_pair: o.PairColumn = None,
    label: o.LabelColumn = None,
    limit: o.Limit = 5000,
    as_json: o.AsJson = False,
) -> None:
    """Write one HTML page on TARGET: what it looks like, what to start from and why, the cost, and what is uncertain.

    The page is a single file without scripts, which can be mailed and printed. With --json the facts are printed
    instead, and a page is written only if --out says where.
    """
    from taskspace.atlas import Atlas
    from taskspace.cli._target import target_of
    from taskspace.report import report_of

    with Atlas(o.atlas_path(atlas), create=False) as store:
        what = target_of(store, target, text=text, text_pair=text_pair, label=label, limit=limit)
        made = report_of(
            store, what, k=k, kind=o.checked_kind(kind), space=learner, examples=examples, epochs=epochs,
            base=None if base is None else _shown(base), parameters=parameters, rate=rate,
            command=shlex.join(["taskspace", *map(_shown, sys.argv[1:])]), date=date,
        )  # fmt: skip
    if not as_json or out is not None:
        place = _written(made.to_html(), out or Path(f"{_file_name(made.target.name)}.html"))
        o.say(f"wrote {place}") if as_json else typer.echo(f"wrote {place}: {made.verdict.headline}")
    if as_json:
        o.print_json(made.to_dict())


def _shown(word: str) -> str:
    """Of a path its last name: where things lie on this machine is no colleague's business."""
    option, sign, value = word.partition("=")
    if option.startswith("--") and sign:
        return f"{option}={_shown(value)}"
    return Path(word).name if Path(word).is_absolute() or o.there(word) else word


def _file_name(name: str) -> str:
    """A name as a file of this folder may be called."""
    plain = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name).strip("-.")
    return plain[:100] or "report"


def _written(page: str, path: Path) -> Path:
    from taskspace._files import replacing

    try:
        with replacing(path) as partial:
            partial.write_text(page, encoding="utf-8")
    except OSError as error:
        raise AtlasError(f"cannot write {path} ({error.strerror or error}); say another place with --out") from error
    return path
