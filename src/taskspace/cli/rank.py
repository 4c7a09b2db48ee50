"""``taskspace rank``: what to start from for a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from taskspace.cli import _options as o

if TYPE_CHECKING:
    from taskspace.ranking import Ranking

_PAIR = 2
"""Candidates that it takes to explain one by the other."""


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
        ranking = store.rank(
            what, k=max(k, _PAIR) if explain else k, kind=o.checked_kind(kind), space=learner, fusion=fusion,
            centre=centre, run=run,
        )  # fmt: skip
    told = _explanation(ranking) if explain else None
    if as_json:
        o.print_json(ranking.top(k).to_dict() | ({"explanation": told} if explain else {}))
        return
    o.print_ranking(ranking.top(k), as_json=False)
    if told is not None:
        typer.echo(told)


def _explanation(ranking: Ranking) -> str | None:
    """Why the first stands before the second; a remark where there are not two to compare."""
    if len(ranking) < _PAIR:
        o.say("there is nothing to explain with fewer than two candidates")
        return None
    return ranking.explain()
