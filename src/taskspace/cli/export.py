"""``taskspace export``: vectors, the pool, or one embedding, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taskspace.cli import _options as o
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from taskspace.atlas import Atlas
    from taskspace.task import Pool


def export(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="FILE.parquet (also with --map), FILE.safetensors (with --name), FILE.jsonl (with --pool).",
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Write this one embedding as safetensors.")] = None,
    pool: Annotated[
        bool, typer.Option("--pool", help="Write the pool's texts, a row each, for a model to answer.")
    ] = False,
    as_map: Annotated[
        bool, typer.Option("--map", help="Write the map's points and neighbours, for a viewer such as embedding-atlas.")
    ] = False,
    method: Annotated[str, typer.Option(help="With --map: pca, mds or umap.")] = "pca",
    seed: Annotated[int, typer.Option(min=0, help="With --map: what umap and mds start from.")] = 0,
    atlas: o.AtlasPath = None,
    learner: o.Which = None,
    as_json: o.AsJson = False,
) -> None:
    """Write all embeddings as Parquet, the map as Parquet, one embedding as safetensors, or the pool as JSONL."""
    from taskspace.atlas import Atlas
    from taskspace.data import write_pool

    _require_one({"--name": name is not None, "--pool": pool, "--map": as_map})
    _require_suffix(out, ".jsonl" if pool else ".safetensors" if name is not None else ".parquet")
    with Atlas(o.atlas_path(atlas), create=False) as store:
        if pool:
            written = write_pool(_pool(store, learner), out)
        elif name is not None:
            written = store.get(name, space=learner).save(out)
        elif as_map:
            written = _write_map(store, out, method, seed, learner)
        else:
            written = store.export(out, space=learner)
    if as_json:
        o.print_json({"written": str(written)})
    else:
        typer.echo(f"wrote {written}")


def _write_map(atlas: Atlas, out: Path, method: str, seed: int, learner: str | None) -> Path:
    from taskspace.atlas.map import map_of, write_map

    matrix = atlas.matrix(learner)
    return write_map(map_of(matrix, method=method, seed=seed), matrix, out)


def _pool(atlas: Atlas, learner: str | None) -> Pool:
    """The pool asked for; where all spaces share one, none has to be named."""
    spaces = atlas.spaces()
    one = learner is None and len({space.pool for space in spaces}) == 1
    return atlas.pool(spaces[0] if one else learner)


def _require_one(given: dict[str, bool]) -> None:
    both = [option for option, there in given.items() if there]
    if len(both) > 1:
        raise SettingError(f"{both[0]} and {both[1]} were both given; export one after the other")


def _require_suffix(out: Path, suffix: str) -> None:
    """A file of one format under the name of another would be read wrongly later."""
    fits = out.name.casefold().endswith((suffix, suffix + ".gz") if suffix == ".jsonl" else suffix)
    if not fits:
        raise SettingError(
            f"{out} does not end in {suffix}, which is what would be written; rename it, or see"
            " taskspace export --help for --name, --pool and --map"
        )
