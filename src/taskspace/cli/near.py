"""``taskspace near``: the neighbours of something in the atlas."""

from __future__ import annotations

from typing import Annotated

import typer

from taskspace.cli import _options as o


def near(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name in the atlas.")],
    k: o.Top = 10,
    kind: o.KindOption = None,
    atlas: o.AtlasPath = None,
    learner: o.Which = None,
    fusion: o.Fusion = "mean",
    centre: o.Centre = False,
    include_self: Annotated[bool, typer.Option("--include-self", help="Leave NAME itself in.")] = False,
    as_json: o.AsJson = False,
) -> None:
    """List what stands nearest to NAME, of any kind."""
    from taskspace.atlas import Atlas

    with Atlas(o.atlas_path(atlas), create=False) as store:
        ranking = store.near(
            name, k=k, kind=o.checked_kind(kind), space=learner, fusion=fusion, include_self=include_self, centre=centre
        )
    o.print_ranking(ranking, as_json=as_json)
