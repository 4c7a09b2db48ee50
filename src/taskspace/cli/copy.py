"""``taskspace copy``: all of an atlas into another one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from taskspace.cli import _options as o

if TYPE_CHECKING:
    from taskspace.atlas import Copied


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="An atlas: a file, a folder NAME.lance, or a URI.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Another one, which is made if it is not there.")],
    as_json: o.AsJson = False,
) -> None:
    """Copy spaces, pools, embeddings and measured transfers into another atlas, of whatever engine.

    What is there is kept, so a copy that was stopped goes on where it was.
    """
    from tqdm.auto import tqdm

    from taskspace.atlas import copy_atlas

    with tqdm(desc="copy", unit="embedding", disable=not o.on_terminal(), leave=False) as bar:

        def told(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        copied = copy_atlas(source, target, told=told)
    if as_json:
        o.print_json({"from": source, "to": target, **asdict(copied)})
    else:
        typer.echo(_sentence(copied, source, target))


def _sentence(copied: Copied, source: str, target: str) -> str:
    there = f" ({copied.there} were there)" if copied.there else ""
    return (
        f"copied {_many(copied.embeddings, 'embedding')}{there}, {_many(copied.pools, 'pool')} and"
        f" {_many(copied.transfers, 'measured transfer')} from {source} into {target}"
    )


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
