"""``taskspace remove``: take entries out of the atlas."""

from __future__ import annotations

from typing import Annotated

import typer

from taskspace.cli import _options as o


def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names in the atlas.")],
    atlas: o.AtlasPath = None,
    learner: o.Which = None,
    as_json: o.AsJson = False,
) -> None:
    """Remove entries: all that are named, or none when one is not there.  Measured transfers stay."""
    from taskspace.atlas import Atlas

    with Atlas(o.atlas_path(atlas), create=False) as store:
        store.remove(*names, space=learner)
        left = len(store)
    if as_json:
        o.print_json({"removed": names, "left": left})
    else:
        typer.echo(f"removed {', '.join(names)}; {left} left")
