"""``taskspace map``: a picture of a space, or a page to look around in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskspace.cli import _options as o
from taskspace.errors import AtlasError, SettingError, did_you_mean

if TYPE_CHECKING:
    from taskspace.atlas import Atlas
    from taskspace.embedding import Kind
    from taskspace.ranking import Ranking

_WHAT = ("map", "similarities", "dendrogram", "ranking")
_PAGE = (".html", ".htm")


def map(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="FILE.png, .svg or .pdf for a picture, FILE.html for a page.")
    ],
    what: Annotated[str, typer.Option(help="What to draw: map, similarities, dendrogram or ranking.")] = "map",
    target: Annotated[
        str | None, typer.Option(help="With --what ranking: a name in the atlas, or a file to embed first.")
    ] = None,
    method: Annotated[str, typer.Option(help="How the map is made: pca, mds or umap.")] = "pca",
    seed: Annotated[int, typer.Option(min=0, help="What umap, mds and samples start from.")] = 0,
    transfers: Annotated[
        bool, typer.Option("--transfers", help="Draw an arrow to each measured target from its best source.")
    ] = False,
    k: Annotated[int, typer.Option("-k", min=1, help="With --what ranking: how many to draw.")] = 20,
    kind: o.KindOption = None,
    atlas: o.AtlasPath = None,
    learner: o.Which = None,
    as_json: o.AsJson = False,
) -> None:
    """Draw the atlas: a map, a table of similarities, a dendrogram, or the ranking for one target.

    The map keeps only some of the neighbourhoods of the space: how many is printed here and on the map.
    """
    from taskspace.atlas import Atlas

    _check(out, what, target, transfers)
    chosen = o.checked_kind(kind)
    with Atlas(o.atlas_path(atlas), create=False) as store:
        if out.suffix.casefold() in _PAGE:
            told = _page(store, out, what, method, seed, chosen, learner)
        elif what == "ranking":
            told = _ranking(store, out, str(target), k, chosen, learner)
        elif what == "map":
            told = _map(store, out, method, seed, chosen, learner, arrows=transfers)
        else:
            told = _table(store, out, what, seed, chosen, learner)
    if as_json:
        o.print_json({"written": str(out), **told})
    else:
        typer.echo(f"wrote {out}: {_sentence(told)}")


def _check(out: Path, what: str, target: str | None, transfers: bool) -> None:
    """Every complaint that needs no atlas, so that it comes at once."""
    if what not in _WHAT:
        raise SettingError(f"there is nothing called {what!r} to draw{did_you_mean(what, _WHAT)}")
    if out.suffix.casefold() not in (".png", ".svg", ".pdf", *_PAGE):
        raise SettingError(f"{out} is neither a picture nor a page by its ending; end it in .png, .svg, .pdf or .html")
    if (what == "ranking") != (target is not None):
        raise SettingError("--what ranking and --target belong together, but only one was given; give both or neither")
    if transfers and what != "map":
        raise SettingError(f"--transfers are arrows on the map, but --what is {what}; leave one of them out")


def _map(
    store: Atlas, out: Path, method: str, seed: int, kind: Kind | None, learner: str | None, *, arrows: bool
) -> dict[str, Any]:
    from taskspace import pictures
    from taskspace.atlas.map import map_of

    chart = map_of(store.matrix(learner), method=method, seed=seed, kind=kind)
    transfers = store.transfers() if arrows else ()
    pictures.write_figure(pictures.map_figure(chart, title=_title(store, learner), transfers=transfers), out)
    told = ("method", "kept", "kept_of", "neighbours", "chance", "explained", "families")
    document = chart.to_dict()
    silent = int((~chart.informative).sum())
    return {"what": "map", "points": len(chart), "silent": silent, **{key: document[key] for key in told}}


def _table(store: Atlas, out: Path, what: str, seed: int, kind: Kind | None, learner: str | None) -> dict[str, Any]:
    from taskspace import pictures
    from taskspace.atlas.map import map_of, similarities

    matrix = store.matrix(learner)
    found = similarities(matrix, seed=seed, kind=kind)
    chart = map_of(matrix, seed=seed, kind=kind)
    families = dict(zip(chart.names, chart.family.tolist(), strict=True))
    draw = pictures.dendrogram_figure if what == "dendrogram" else pictures.similarities_figure
    pictures.write_figure(draw(found, title=_title(store, learner), families=families), out)
    return {"what": what, "points": len(found), "of": found.of, "names": list(found.names)}


def _ranking(store: Atlas, out: Path, target: str, k: int, kind: Kind | None, learner: str | None) -> dict[str, Any]:
    from taskspace import pictures
    from taskspace.cli._target import target_of

    asked = target_of(store, target, text=None, text_pair=None, label=None, limit=5000)
    ranking = store.rank(asked, k=None, kind=kind, space=learner)
    title = f"What to start from for {ranking.target}"
    pictures.write_figure(pictures.ranking_figure(ranking, title=title, limit=k), out)
    return {"what": "ranking", "points": min(k, sum(hit.kind != "none" for hit in ranking)), **_about(ranking)}


def _page(
    store: Atlas, out: Path, what: str, method: str, seed: int, kind: Kind | None, learner: str | None
) -> dict[str, Any]:
    """The whole atlas as one HTML file."""
    from taskspace._files import replacing
    from taskspace.page import document_of, standalone

    if what != "map" or kind is not None:
        raise SettingError(
            "a page holds everything there is to look at; leave --what and --kind out, or end OUT in .png"
        )
    document = document_of(store, learner, method=method, seed=seed)
    try:
        with replacing(out) as partial:
            partial.write_text(standalone(document), encoding="utf-8")
    except OSError as error:
        raise AtlasError(f"cannot write {out} ({error.strerror or error}); choose another place") from error
    told = {key: document["map"][key] for key in ("method", "kept", "kept_of", "neighbours", "chance")}
    silent = document["map"]["informative"].count(0)
    return {"what": "page", "points": len(document["map"]["names"]), "silent": silent, **told}


def _title(store: Atlas, learner: str | None) -> str:
    return f"{store.name} · {store.space_id(learner).learner}"


def _about(ranking: Ranking) -> dict[str, Any]:
    about = {"target": ranking.target, "calibrated": ranking.calibrated, "measure": ranking.measure}
    return {**about, "notes": list(ranking.notes)}


def _sentence(told: dict[str, Any]) -> str:
    """What was drawn, for a reader."""
    from taskspace.atlas.map import in_words

    count = f"{told['points']:,} {'point' if told['points'] == 1 else 'points'}"
    if told["what"] == "ranking":
        return f"{told['points']:,} candidates for {told['target']}; {told['measure']}"
    if told["what"] in ("similarities", "dendrogram"):
        return count if told["of"] == told["points"] else f"{count} of {told['of']:,}"
    silent = (
        f", {told['silent']:,} of which {'says' if told['silent'] == 1 else 'say'} nothing"
        if told.get("silent")
        else ""
    )
    trust = in_words(told["kept"], told["neighbours"], told["chance"])
    return f"{count}{silent}, by {told['method']}" + (f"; {trust}" if trust else "")
