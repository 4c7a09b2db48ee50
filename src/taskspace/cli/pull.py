"""``taskspace pull``: an atlas from a data set repository of the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taskspace.cli import _options as o
from taskspace.cli._hub import bars_for_watchers
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from taskspace.hub import Pulled


def pull(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="owner/name, or owner/name@branch, tag or commit.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Where a name means something else there, take theirs.")
    ] = False,
    atlas: o.AtlasPath = None,
    as_json: o.AsJson = False,
) -> None:
    """Pull an atlas from the Hub into a new file, or add to an atlas what it lacks.

    Everything is fetched and checked before anything is written.
    """
    from taskspace.hub import pull as pull_atlas

    bars_for_watchers()
    path = o.atlas_path(atlas)
    if atlas is None:
        _make_folder(path)
    pulled = pull_atlas(repo, path, replace=replace)
    if as_json:
        o.print_json({**pulled.to_dict(), "atlas": str(path)})
    else:
        typer.echo(_told(pulled, str(path)))


def _make_folder(path: Path | str) -> None:
    """The folder of whoever names no atlas may not be there yet."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AtlasError(f"the folder of {path} cannot be made ({error.strerror}); say another with --atlas") from error


def _told(pulled: Pulled, path: str) -> str:
    parts = [f"{pulled.added} new"]
    parts += [f"{pulled.replaced} replaced"] if pulled.replaced else []
    parts += [f"{pulled.held} here before"] if pulled.held else []
    parts += [f"{pulled.transfers} measured transfers"] if pulled.transfers else []
    parts += ["with its pool"] if pulled.pools else []
    return f"pulled {pulled.repo} at {pulled.commit[:12]} into {path}: {', '.join(parts)}"
