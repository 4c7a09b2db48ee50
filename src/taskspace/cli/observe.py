"""``taskspace observe``: note measured transfers, from which later rankings predict gains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taskspace.cli import _options as o
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from taskspace.ranking.history import Row


def observe(
    what: Annotated[
        list[str], typer.Argument(metavar="TABLE | SOURCE TARGET SCORE", help="A table of transfers, or one of them.")
    ],
    baseline: Annotated[float | None, typer.Option(help="The score on TARGET without transfer.")] = None,
    metric: Annotated[str | None, typer.Option(help="Name of the score (default: accuracy); higher is better.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the run.")] = None,
    model: Annotated[str | None, typer.Option(help="Where a table has several backbones: which.")] = None,
    atlas: o.AtlasPath = None,
    as_json: o.AsJson = False,
) -> None:
    """Note what a source was measured to do for a target; what was noted before is not noted twice.

    TABLE (CSV, TSV, JSONL, Parquet) has the columns source, target and score, and if possible baseline, seed and
    metric (where it is empty: accuracy): what `taskspace bench transfer` writes.
    """
    from taskspace.atlas import Atlas

    rows = _rows(what, baseline, metric, seed, model)
    with Atlas(o.atlas_path(atlas)) as store:
        new, held = store.observe_all(rows), len(store.transfers())
    if as_json:
        o.print_json({"read": len(rows), "noted": new, "transfers": held})
    else:
        typer.echo(f"noted {new} of {len(rows)} transfers; the atlas has {held}")


def _rows(
    what: Sequence[str], baseline: float | None, metric: str | None, seed: int | None, model: str | None
) -> Sequence[Row]:
    from taskspace.ranking.history import Row, read_rows

    if len(what) == 1:
        _require_unsaid({"--baseline": baseline, "--metric": metric, "--seed": seed}, "a table has a column for it")
        return read_rows(Path(what[0]), model=model)
    if len(what) != 3:
        raise SettingError(f"{len(what)} words do not say what was measured; give a table, or SOURCE TARGET SCORE")
    _require_unsaid({"--model": model}, "it chooses among the rows of a table")
    source, target, score = what
    try:
        return [Row(source, target, float(score), baseline, seed, metric)]
    except ValueError as error:
        raise SettingError(f"the score {score!r} is not a number; give one, such as 0.91") from error


def _require_unsaid(options: Mapping[str, object], why: str) -> None:
    said = [name for name, value in options.items() if value is not None]
    if said:
        raise SettingError(f"no {' and no '.join(said)} is taken here, {why}; leave it out")
