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
        typer.Argument(metavar="OUT", help="FILE.parquet, FILE.safetensors (with --name), FILE.jsonl (with --pool)."),
    ],
    name: Annotated[str | None, typer.Option(help="Write this one embedding as safetensors.")] = None,
    pool: Annotated[
        bool, typer.Option("--pool", help="Write the pool's texts, a row each, for a model to answer.")
    ] = False,
    atlas: o.AtlasPath = None,
    learner: o.Which = None,
    as_json: o.AsJson = False,
) -> None:
    """Write all embeddings as Parquet, one as safetensors, or the pool as JSONL."""
    from taskspace.atlas import Atlas
    from taskspace.data import write_pool

    if name is not None and pool:
        raise SettingError("--name and --pool were both given; export one after the other")
    _require_suffix(out, ".jsonl" if pool else ".safetensors" if name is not None else ".parquet")
    with Atlas(o.atlas_path(atlas), create=False) as store:
        if pool:
            written = write_pool(_pool(store, learner), out)
        elif name is not None:
            written = store.get(name, space=learner).save(out)
        else:
            written = store.export(out, space=learner)
    if as_json:
        o.print_json({"written": str(written)})
    else:
        typer.echo(f"wrote {written}")


def _pool(atlas: Atlas, learner: str | None) -> Pool:
    """The pool asked for; where all spaces share one, none has to be named."""
    spaces = atlas.spaces()
    one = learner is None and len({space.pool for space in spaces}) == 1
    return atlas.pool(spaces[0] if one else learner)


def _require_suffix(out: Path, suffix: str) -> None:
    """A file of one format under the name of another would be read wrongly later."""
    fits = out.name.casefold().endswith((suffix, suffix + ".gz") if suffix == ".jsonl" else suffix)
    if not fits:
        raise SettingError(
            f"{out} does not end in {suffix}, which is what would be written; rename it, or see"
            " taskspace export --help for --name and --pool"
        )
