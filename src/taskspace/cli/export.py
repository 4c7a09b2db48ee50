"""``taskspace export``: vectors, the pool, or one embedding, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskspace.cli import _options as o
from taskspace.errors import SettingError


def export(
    out: Annotated[
        Path, typer.Argument(help="FILE.parquet, FILE.safetensors (with --name), FILE.jsonl (with --pool).")
    ],
    name: Annotated[str | None, typer.Option(help="Write this one embedding as safetensors.")] = None,
    pool: Annotated[
        bool, typer.Option("--pool", help="Write the pool's texts, a row each, for a model to answer.")
    ] = False,
    atlas: o.AtlasPath = None,
    learner: o.Learner = None,
    as_json: o.AsJson = False,
) -> None:
    """Write all embeddings as Parquet, one as safetensors, or the pool as JSONL."""
    from taskspace.atlas import Atlas
    from taskspace.data import write_pool

    if name is not None and pool:
        raise SettingError("--name and --pool were both given; export one after the other")
    with Atlas(o.atlas_path(atlas), create=False) as store:
        if pool:
            written = write_pool(store.pool(learner), out)
        elif name is not None:
            written = store.get(name, space=learner).save(out)
        else:
            written = store.export(out, space=learner)
    if as_json:
        o.print_json({"written": str(written)})
    else:
        typer.echo(f"wrote {written}")
