"""``taskspace rank``: what to start from for a target."""

from __future__ import annotations

from typing import Annotated

import typer

from taskspace.cli import _options as o


def rank(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A name in the atlas, or a file, folder or Hub id to embed first.")
    ],
    k: o.Top = 10,
    kind: o.KindOption = None,
    atlas: o.AtlasPath = None,
    learner: o.Which = None,
    fusion: o.Fusion = "mean",
    centre: o.Centre = False,
    text: o.TextColumn = None,
    text_pair: o.PairColumn = None,
    label: o.LabelColumn = None,
    limit: o.Limit = 5000,
    run: Annotated[
        int, typer.Option(min=0, help="Run so many of the best candidates that are checkpoints on TARGET's rows.")
    ] = 0,
    explain: Annotated[bool, typer.Option("--explain", help="Say why the first stands before the second.")] = False,
    as_json: o.AsJson = False,
) -> None:
    """Rank what to start from for TARGET, best first; the target itself is left out.

    Once transfers to at least two other targets were noted (`taskspace observe`), candidates come with the gain that
    they predict, and "do not transfer" stands among them.
    """
    from taskspace.atlas import Atlas
    from taskspace.cli._target import target_of

    with Atlas(o.atlas_path(atlas), create=False) as store:
        what = target_of(store, target, text=text, text_pair=text_pair, label=label, limit=limit)
        ranking = store.rank(what, k=k, kind=o.checked_kind(kind), space=learner, fusion=fusion, centre=centre, run=run)
    o.print_ranking(ranking, as_json=as_json)
    if explain and not as_json:
        typer.echo(ranking.explain())
