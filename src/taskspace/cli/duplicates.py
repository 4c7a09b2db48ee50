"""``taskspace duplicates``: what stands in the atlas under several names."""

from __future__ import annotations

from typing import Annotated

import typer

from taskspace.cli import _options as o


def duplicates(
    kind: o.KindOption = None,
    above: Annotated[
        float | None,
        typer.Option(help="List pairs of at least this similarity (default: derived from how near others stand)"),
    ] = None,
    atlas: o.AtlasPath = None,
    learner: o.Which = None,
    as_json: o.AsJson = False,
) -> None:
    """List data sets or models that are the same task in disguise, with the evidence.

    The entry to keep stands first in each group; "=" marks what is certain (the same rows, or equal vectors), "~" what
    is nearer than chance brings different tasks.  Nothing is removed.
    """
    from taskspace.atlas import Atlas
    from taskspace.atlas.duplicates import find_duplicates

    with Atlas(o.atlas_path(atlas), create=False) as store:
        found = find_duplicates(store, kind=o.checked_kind(kind), space=learner, above=above, progress=o.on_terminal())
    if as_json:
        o.print_json(found.to_dict())
    else:
        typer.echo(str(found))
